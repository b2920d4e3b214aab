"""A region of an RTSTRUCT on any grid: filled on the planes it was drawn on, put where they lie.

A contour stands for the slice it was drawn on: a slab as thick as the slices of its own CT, or,
where that CT is not known or has no slice there, as the structure set's contours lie apart. Each
slice of another grid takes the slab that holds its centre. So contours that lie on the grid's own
slices are filled there, and those between them are not lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.images import placed
from oarflow.geometry import Grid
from oarflow.rtstruct.arrangement import Ring, arrange
from oarflow.rtstruct.model import Contour, GeometricType, Roi
from oarflow.rtstruct.raster import (
    PLANE_TOLERANCE_MM,
    Remark,
    RoiMask,
    arrangement_remarks,
    rasterise_roi,
)
from oarflow.types import Mask

CLOSED = (GeometricType.CLOSED_PLANAR, GeometricType.XOR)

BEYOND_PIXELS = 0.1
"""A contour that reaches beyond the image's edge by more than this lies beyond it: files round."""

TIE_MM = 1e-3
"""A slice half-way between two planes, to this, takes the upper one."""

WORDS: Mapping[Remark, str] = {
    Remark.OFF_SLICE: "on no slice's plane, taken where they lie",
    Remark.BEYOND_IMAGE: "reaching beyond the CT",
    Remark.NOT_IN_PLANE: "tilted against the slices, left out",
    Remark.NESTED: "within another of their slice, read as holes and islands",
    Remark.CROSSING: "crossing another of their slice, joined with it",
    Remark.TOUCHING: "touching another of their slice, joined with it",
    Remark.SELF_CROSSING: "crossing themselves, filled by even and odd",
    Remark.DUPLICATE: "repeating another, left out",
}
"""Remarks on contours that do not lie on their slices, or not apart from others."""

Offsets = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Planes:
    """What a structure set was drawn on.

    grid: its own CT's; None where it is not known. step_mm: the usual distance of its contours;
    None where no region has two.
    """

    grid: Grid | None
    step_mm: float | None

    @classmethod
    def of(cls, rois: Iterable[Roi], grid: Grid | None) -> Planes:
        """The planes of a structure set's regions. grid: its own CT's, where that is known."""
        every = tuple(rois)
        ruler = grid or _grid_of(every)
        if ruler is None or not every:
            return cls(grid, None)
        steps = np.concatenate([np.diff(_planes(roi, ruler)) for roi in every])
        return cls(grid, float(np.median(steps)) if len(steps) else None)

    def mask(self, roi: Roi, target: Grid) -> Mask:
        """A region on a grid, bool (z, y, x).

        Raises ValueError where the region's own CT is oblique to the grid and unevenly spaced.
        """
        own = self.grid
        if own is not None and not _parallel(own, target):
            filled = rasterise_roi(roi, own, off_slice="nearest")
            return placed(filled.full(own.shape), own, target)
        mask = np.zeros(target.shape, dtype=np.bool_)
        drawn = _planes(roi, target)
        if not len(drawn):
            return mask
        planes, low, high = self._slabs(drawn, target)
        found = rasterise_roi(roi, _stack(target, planes))
        if not found.values.size:
            return mask
        _fill(mask, found, _slab_of(target.offsets_mm, low, high))
        if not mask.any() and found.values.any():
            _fill(mask, found, _nearest(target, planes, found.slices))
        return mask

    def remarks(self, roi: Roi, target: Grid) -> dict[Remark, int]:
        """Counts of contours that lie off the slices of their CT (or of the grid without a CT),
        and of contours that touch others of their plane."""
        image = self.grid or target
        found: Counter[Remark] = Counter()
        drawn = _planes(roi, image)
        plain: dict[int, list[Ring]] = defaultdict(list)
        for contour in _closed(roi):
            axes = image.patient_to_axes(contour.points_lps)
            plane = _plane(axes)
            if plane is None:
                found[Remark.NOT_IN_PLANE] += 1
                continue
            if contour.type is GeometricType.CLOSED_PLANAR:
                plain[int(np.argmin(np.abs(drawn - plane)))].append(axes[:, 1:])
            away = np.abs(image.offsets_mm - plane)
            k = int(np.argmin(away))
            sides = axes[:, 1:] / image.spacing_yx
            low, high = -0.5 - BEYOND_PIXELS, np.array(image.shape[1:]) - 0.5 + BEYOND_PIXELS
            beyond = bool((sides < low).any() or (sides > high).any())
            if beyond or away[k] > float(image.slice_thickness_mm[k]) / 2 + PLANE_TOLERANCE_MM:
                found[Remark.BEYOND_IMAGE] += 1
            elif away[k] > PLANE_TOLERANCE_MM:
                found[Remark.OFF_SLICE] += 1
        for rings in plain.values():
            found += arrangement_remarks(arrange(rings), rings)
        return dict(found)

    def _slabs(self, drawn: Offsets, target: Grid) -> tuple[Offsets, Offsets, Offsets]:
        """Planes, and from where to where each stands for, along the target's axis."""
        if self.grid is not None:
            own = np.sort((self.grid.positions_lps - target.positions_lps[0]) @ target.normal)
            away = np.abs(drawn[:, None] - own).min(axis=1)
            if float(away.max()) <= PLANE_TOLERANCE_MM:
                return own, *_between(own, self.grid.spacing_zyx[0])
        step = self.step_mm or (self.grid or target).spacing_zyx[0]
        low, high = _between(drawn, step)
        return drawn, np.maximum(low, drawn - step / 2), np.minimum(high, drawn + step / 2)


def in_words(remarks: Mapping[Remark, int]) -> str:
    """Counts as people read them; "" where there are none."""
    return "; ".join(f"{n} contours {WORDS[remark]}" for remark, n in sorted(remarks.items()) if n)


def _closed(roi: Roi) -> Iterator[Contour]:
    return (c for c in roi.contours if c.type in CLOSED and len(c.points_lps) > 2)


def _plane(axes: NDArray[np.float64]) -> float | None:
    """Where along the normal a contour lies; None where it is tilted against the slices."""
    low, high = float(axes[:, 0].min()), float(axes[:, 0].max())
    return None if high - low > 2 * PLANE_TOLERANCE_MM else (low + high) / 2


def _planes(roi: Roi, grid: Grid) -> Offsets:
    """A region's planes along a grid's normal, ascending; those within the tolerance are one."""
    heights = (_plane(grid.patient_to_axes(contour.points_lps)) for contour in _closed(roi))
    groups: list[list[float]] = []
    for height in sorted(one for one in heights if one is not None):
        if groups and height - groups[-1][0] <= PLANE_TOLERANCE_MM:
            groups[-1].append(height)
        else:
            groups.append([height])
    return np.array([(group[0] + group[-1]) / 2 for group in groups])


def _between(planes: Offsets, thickness: float) -> tuple[Offsets, Offsets]:
    """Half-way to the neighbours on both sides; half the thickness beyond the first and last."""
    middle = (planes[1:] + planes[:-1]) / 2
    low = np.concatenate(([planes[0] - thickness / 2], middle))
    return low, np.concatenate((middle, [planes[-1] + thickness / 2]))


def _slab_of(offsets: Offsets, low: Offsets, high: Offsets) -> NDArray[np.intp]:
    """(n,) the plane that each slice takes, -1 where it lies in no slab."""
    at = offsets + TIE_MM
    found = np.searchsorted(low, at, side="right") - 1
    return np.where((found >= 0) & (at < high[np.maximum(found, 0)]), found, -1)


def _nearest(target: Grid, planes: Offsets, drawn: Iterable[int]) -> NDArray[np.intp]:
    """(n,) the plane of those drawn that each slice nearest to one takes: thin organs stay."""
    found = np.full(target.shape[0], -1, dtype=np.intp)
    for number in drawn:
        away = np.abs(target.offsets_mm - planes[number])
        k = int(np.argmin(away))
        if away[k] <= float(target.slice_thickness_mm[k]) / 2:
            found[k] = number
    return found


def _fill(mask: Mask, found: RoiMask, plane_of: NDArray[np.intp]) -> None:
    bottom, row, column = found.offset
    count, rows, columns = found.values.shape
    for k in np.flatnonzero((plane_of >= bottom) & (plane_of < bottom + count)):
        plane = found.values[plane_of[k] - bottom]
        mask[k, row : row + rows, column : column + columns] |= plane


def _stack(target: Grid, planes: Offsets) -> Grid:
    """The target's pixels on other planes."""
    return Grid(
        target.positions_lps[0] + planes[:, None] * target.normal,
        target.x_direction,
        target.y_direction,
        target.spacing_yx,
        (len(planes), *target.shape[1:]),
    )


def _parallel(one: Grid, other: Grid) -> bool:
    """Whether a plane of one grid stays within the tolerance in the other."""
    side = max(n * mm for n, mm in zip(one.shape[1:], one.spacing_yx, strict=True))
    across = float(np.linalg.norm(np.cross(one.normal, other.normal)))
    return across * side <= PLANE_TOLERANCE_MM


def _grid_of(rois: Iterable[Roi]) -> Grid | None:
    """A grid of one voxel whose slices lie as the contours of the longest region do."""
    contours = max((list(_closed(roi)) for roi in rois), key=len, default=[])
    if not contours:
        return None
    points = max((contour.points_lps for contour in contours), key=len)
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    normal = axes[2]
    normal = normal if normal[np.argmax(np.abs(normal))] > 0 else -normal
    across = np.eye(3)[int(np.argmin(np.abs(normal)))]
    across = across - (across @ normal) * normal
    x = across / np.linalg.norm(across)
    return Grid(points[:1], x, np.cross(normal, x), (1.0, 1.0), (1, 1, 1))
