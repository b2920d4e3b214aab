"""The data of a report's pictures: the CT as 8-bit slices, and the contours on them.

Slices are coded, not windowed: 256 codes cover all HU from air to bone, with fine steps in soft
tissue, so that one image per slice serves every window of the viewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.rtstruct.model import GeometricType, Roi, StructureSet
from oarflow.types import FloatArray
from oarflow.volume import Volume

Codes = NDArray[np.uint8]
Rings = tuple[FloatArray, ...]

CODE_KNOTS = (0, 40, 80, 160, 200, 255)
HU_KNOTS = (-1024, -200, -50, 150, 300, 2000)
"""HU at the codes of CODE_KNOTS, linear between them: steps of 2.5 HU in soft tissue, 21 in air,
31 in bone. HU beyond the ends get the code of the end."""

LONGEST_EDGE = 512
"""Most rows and columns of a shown slice; finer slices are averaged."""

BODY_HU = -400.0
BODY_MARGIN_MM = 10.0
"""Margin in mm around everything denser than BODY_HU in any slice."""

OUTLINE_TOLERANCE = 0.05
"""Contours are simplified by at most this many shown pixels, which is not visible."""

_CLOSED = (GeometricType.CLOSED_PLANAR, GeometricType.XOR)


@dataclass(frozen=True, eq=False)
class Outline:
    """The outlines of a region.

    number: of the ROI. organ: catalogue name, else the ROI's own. rings: by slice, each (n, 2) as
    (x, y) in shown pixels, pixel (0, 0) reaching from 0 to 1, the last point not repeating the
    first. Rings of one slice combine by the even-odd rule: a ring within another is a hole.
    """

    number: int
    name: str
    organ: str
    colour: tuple[int, int, int]
    rings: Mapping[int, Rings]


@dataclass(frozen=True, eq=False)
class ReportScene:
    """A CT and its regions, ready to be drawn.

    codes: uint8 (z, rows, columns), the part of the CT that holds the body. pixel_mm: row and
    column distance. offsets_mm: (z,) of the slices from the first. positions_mm: (z,) of the slices
    along the normal, in patient space (the z coordinate in axial series). faces: for x, y and z the
    letters of the side where the index is least and of the side where it is greatest.
    """

    codes: Codes
    pixel_mm: tuple[float, float]
    offsets_mm: FloatArray
    positions_mm: FloatArray
    faces: tuple[tuple[str, str], tuple[str, str], tuple[str, str]]
    outlines: tuple[Outline, ...]


def make_scene(
    volume: Volume, structures: StructureSet, longest_edge: int = LONGEST_EDGE
) -> ReportScene:
    """The part of the volume that holds the body, with a structure set's closed contours.

    Contours that are on no slice of the volume are left out.
    """
    grid = volume.grid
    drawn = [
        (roi, _on_slices(roi, grid, volume.source.sop_instance_uids)) for roi in structures.rois
    ]
    rows, columns = _shown_box(volume, (ring for _, rings in drawn for _, ring in rings))
    factor = -(-max(rows.stop - rows.start, columns.stop - columns.start) // longest_edge)
    outlines = tuple(
        Outline(
            roi.number,
            roi.name,
            roi.organ or roi.name,
            roi.colour,
            _shown_rings(rings, (rows.start, columns.start), factor),
        )
        for roi, rings in drawn
    )
    return ReportScene(
        _coded(volume.hu[:, rows, columns], factor),
        (grid.spacing_yx[0] * factor, grid.spacing_yx[1] * factor),
        grid.offsets_mm,
        np.asarray(grid.positions_lps @ grid.normal),
        (_faces(grid.x_direction), _faces(grid.y_direction), _faces(grid.normal)),
        outlines,
    )


def code_table() -> NDArray[np.float64]:
    """(256,) HU of every code."""
    return np.asarray(np.interp(np.arange(256), CODE_KNOTS, HU_KNOTS))


def windowed(codes: Codes, low_hu: float, high_hu: float) -> Codes:
    """Codes as grey values, 0 at low_hu and below, 255 at high_hu and above."""
    grey = (code_table() - low_hu) / (high_hu - low_hu) * 255
    return np.asarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[codes])


def _coded(hu: NDArray[np.float32], factor: int) -> Codes:
    """Codes of HU, averaged over blocks of factor x factor voxels; slices one at a time."""
    low, high = HU_KNOTS[0], HU_KNOTS[-1]
    table = np.rint(np.interp(np.arange(low, high + 1), HU_KNOTS, CODE_KNOTS)).astype(np.uint8)
    depth, rows, columns = hu.shape[0], hu.shape[1] // factor, hu.shape[2] // factor
    codes = np.empty((depth, max(rows, 1), max(columns, 1)), dtype=np.uint8)
    for k in range(depth):
        plane = hu[k, : rows * factor, : columns * factor]
        if factor > 1:
            plane = plane.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
        codes[k] = table[np.clip(np.rint(plane), low, high).astype(np.intp) - low]
    return codes


def _on_slices(roi: Roi, grid: Grid, uids: tuple[str, ...]) -> list[tuple[int, FloatArray]]:
    """Slice index and ring (row, column) of every closed contour: from the image that it names, or
    else from its plane."""
    slice_of = {uid: k for k, uid in enumerate(uids)}
    found = []
    for contour in roi.contours:
        if contour.type not in _CLOSED or len(contour.points_lps) < 3:
            continue
        axes = grid.patient_to_axes(contour.points_lps)
        k = slice_of.get(contour.sop_instance_uid or "")
        if k is None:
            height = float(axes[:, 0].mean())
            k = int(np.argmin(np.abs(grid.offsets_mm - height)))
            if abs(float(grid.offsets_mm[k]) - height) > float(grid.slice_thickness_mm[k]) / 2:
                continue
        found.append((k, np.asarray(axes[:, 1:] / grid.spacing_yx)))
    return found


def _shown_box(volume: Volume, rings: Iterable[FloatArray]) -> tuple[slice, slice]:
    """Rows and columns that hold the body and all contours, with a margin."""
    shape = volume.grid.shape[1:]
    body = np.zeros(shape, dtype=np.bool_)
    for plane in volume.hu:
        body |= plane > BODY_HU
    spans = []
    corners = [(ring.min(axis=0), ring.max(axis=0)) for ring in rings]
    for axis in (0, 1):
        used = np.flatnonzero(body.any(axis=1 - axis))
        low = [float(least[axis]) for least, _ in corners] + [float(i) for i in used[:1]]
        high = [float(most[axis]) for _, most in corners] + [float(i) for i in used[-1:]]
        margin = BODY_MARGIN_MM / volume.grid.spacing_yx[axis]
        first = max(0, int(min(low, default=0) - margin))
        last = min(shape[axis], int(max(high, default=shape[axis]) + margin) + 2)
        spans.append(slice(first, last))
    return spans[0], spans[1]


def _shown_rings(
    rings: list[tuple[int, FloatArray]], start: tuple[int, int], factor: int
) -> dict[int, Rings]:
    shown: dict[int, Rings] = {}
    for k, ring in rings:
        xy = ((ring + 0.5 - start) / factor)[:, ::-1]
        line = shapely.LineString(np.vstack((xy, xy[:1])))
        points = shapely.get_coordinates(shapely.simplify(line, OUTLINE_TOLERANCE))[:-1]
        shown[k] = (*shown.get(k, ()), points if len(points) >= 3 else xy)
    return dict(sorted(shown.items()))


def _faces(direction: FloatArray) -> tuple[str, str]:
    """Letters of the patient's sides at the start and at the end of a direction."""
    axis = int(np.argmax(np.abs(direction)))
    away, towards = (("R", "L"), ("A", "P"), ("I", "S"))[axis]
    return (away, towards) if direction[axis] > 0 else (towards, away)
