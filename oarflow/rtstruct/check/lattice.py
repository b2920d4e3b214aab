"""Maps an image's pixels to a grid's voxels, for the self-check."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.errors import Fault
from oarflow.geometry import Grid
from oarflow.rtstruct.check.headers import SliceHeader
from oarflow.rtstruct.check.pixels import stored_pixels
from oarflow.rtstruct.scanline import Window
from oarflow.structures import ProbabilityField
from oarflow.volume import Source

MAX_MISFIT_MM = 0.01
"""Greatest distance, in mm, between an image's pixel centres and the grid's voxel centres."""

TISSUE_HU = -500.0
"""Voxels above this HU are compared; below it are air and the area outside the scanner's circle."""

MAX_VOXELS_OFF = 0.001
"""Greatest share of compared voxels of a slice that may differ by more than 1 HU."""

SAMPLED_SLICES = 5
"""Number of slices without contours, evenly chosen, whose voxels are compared too."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """One image's position in the grid.

    slice_index: of the grid. origin: grid index (y, x) of the image's first pixel. matrix: (2, 2)
    of -1, 0, 1: grid index (y, x) = origin + matrix @ (row, column).
    """

    header: SliceHeader
    slice_index: int
    origin: NDArray[np.int64]
    matrix: NDArray[np.int64]

    @property
    def spacing_yx(self) -> NDArray[np.float64]:
        """(2,) voxel distances along the grid's y and x in mm, from the header."""
        return np.asarray(np.abs(self.matrix) @ (self.header.row_mm, self.header.column_mm))

    def to_field(self, ring: NDArray[np.float64], field: ProbabilityField) -> NDArray[np.float64]:
        """(n, 2) fractional (row, column) of the image to (y, x) among the field's values."""
        return np.asarray(ring @ self.matrix.T + self.origin - field.offset[1:])

    def sampled(
        self, wanted: NDArray[np.bool_] | None, window: Window, field: ProbabilityField
    ) -> NDArray[np.bool_]:
        """The field's mask of this slice (y, x) at the window's pixel centres."""
        if wanted is None:
            return np.zeros(window.shape, dtype=np.bool_)
        row = np.arange(window.rows)[:, None] + window.row
        column = np.arange(window.columns)[None, :] + window.column
        y, x = (
            self.origin[i]
            - field.offset[1 + i]
            + self.matrix[i, 0] * row
            + self.matrix[i, 1] * column
            for i in (0, 1)
        )
        inside = (y >= 0) & (y < wanted.shape[0]) & (x >= 0) & (x < wanted.shape[1])
        return np.asarray(
            inside & wanted[np.clip(y, 0, wanted.shape[0] - 1), np.clip(x, 0, wanted.shape[1] - 1)]
        )

    def as_stored(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A slice of the grid (y, x) as (rows, columns) of the image."""
        turned = values if self.matrix[0, 0] else values.T
        row_sign, column_sign = self.matrix.sum(axis=0)
        return turned[::row_sign, ::column_sign]

    def box_in_image(
        self, wanted: NDArray[np.bool_], field: ProbabilityField
    ) -> NDArray[np.float64]:
        """(2, 2) opposite corners (row, column) in the image of a slice's mask (y, x)."""
        y, x = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
        corners = np.array([(y[0], x[0]), (y[-1], x[-1])]) + field.offset[1:]
        return np.asarray((corners - self.origin) @ self.matrix, dtype=np.float64)


def lattices(headers: Mapping[str, SliceHeader], grid: Grid, source: Source) -> dict[str, Lattice]:
    """Place every image in the grid. Raises Fault where the grid does not match the images."""
    if set(headers) != set(source.sop_instance_uids) or len(headers) != grid.shape[0]:
        raise Fault("the volume's slices are not the CT's images")
    return {uid: _lattice(headers[uid], k, grid) for k, uid in enumerate(source.sop_instance_uids)}


def _lattice(header: SliceHeader, k: int, grid: Grid) -> Lattice:
    corners = np.array([(0, 0), (header.rows - 1, 0), (0, header.columns - 1)], dtype=np.float64)
    axes = grid.patient_to_axes(header.to_patient(corners))
    index = axes[:, 1:] / grid.spacing_yx
    origin, down, right = index
    steps = np.stack(
        ((down - origin) / max(1, header.rows - 1), (right - origin) / max(1, header.columns - 1)),
        axis=-1,
    )
    matrix, start = np.rint(steps).astype(np.int64), np.rint(origin).astype(np.int64)
    placed = np.rint(corners).astype(np.int64) @ matrix.T + start
    misfit = np.abs((index - placed) * grid.spacing_yx).max()
    off_plane = np.abs(axes[:, 0] - grid.offsets_mm[k]).max()
    square = (
        np.array_equal(np.abs(matrix).sum(axis=0), (1, 1))
        and abs(int(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])) == 1
    )
    shape = np.abs(matrix) @ (header.rows, header.columns)
    if max(misfit, off_plane) > MAX_MISFIT_MM or not square or tuple(shape) != grid.shape[1:]:
        raise Fault(f"slice {k} of the volume does not lie where its CT image does")
    return Lattice(header, k, start, matrix)


def voxel_faults(
    hu: NDArray[np.float32],
    planes: Mapping[str, Lattice],
    files: Mapping[str, Path],
    contoured: Collection[str],
) -> list[str]:
    """Compare voxels with the pixels of their files: contoured slices (by UID), and some others."""
    uids = [uid for uid in planes if uid in files]
    sampled = {uids[int(i)] for i in np.linspace(0, len(uids) - 1, SAMPLED_SLICES)} if uids else ()
    wrong = [
        planes[uid].slice_index
        for uid in uids
        if (uid in contoured or uid in sampled) and _differs(hu, planes[uid], files[uid])
    ]
    if not wrong:
        return []
    others = f", nor do {len(wrong) - 1} others" if len(wrong) > 1 else ""
    return [f"slice {wrong[0]} of the volume does not hold its image's voxels{others}"]


def _differs(hu: NDArray[np.float32], plane: Lattice, path: Path) -> bool:
    dataset, stored = stored_pixels(path)
    try:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    except (ValueError, TypeError, AttributeError):
        raise Fault("a CT file's rescale cannot be read again for the self-check") from None
    pixels = stored * slope + intercept
    voxels = plane.as_stored(hu[plane.slice_index])
    tissue = ((pixels > TISSUE_HU) | (voxels > TISSUE_HU)) & ~_padded(dataset, stored)
    return bool(tissue.any() and (np.abs(voxels - pixels)[tissue] > 1.0).mean() > MAX_VOXELS_OFF)


def _padded(dataset: Dataset, stored: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels outside the scanner's circle, whose values have no meaning."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    ends = sorted((int(first), int(dataset.get("PixelPaddingRangeLimit", first))))
    return np.asarray((stored >= ends[0]) & (stored <= ends[1]))
