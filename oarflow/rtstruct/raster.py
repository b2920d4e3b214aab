"""StructureSet to masks on a grid. Shares no code with the making of contours.

A pixel is inside if its centre is (see `scanline` for the boundary). A contour belongs to the slice
on whose plane it lies, even if it names another image, which gives a remark. Contours on one plane
combine by `arrangement`: a contour within another is a hole, contours that cross are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.rtstruct.arrangement import Arrangement, Relation, Ring, arrange, crosses_itself
from oarflow.rtstruct.model import Contour, GeometricType, Roi, StructureSet
from oarflow.rtstruct.scanline import Window, fill, window_of
from oarflow.types import Box

PLANE_TOLERANCE_MM = 0.1
"""Greatest distance in mm of a contour's points from a slice's plane: vendors round to 0.01 to 0.1
mm."""

EDGE_PIXELS = 0.01
"""How far, in pixels, a contour may exceed the image's edge because of rounded coordinates."""

Nested = Literal["xor", "union"]
OffSlice = Literal["leave", "nearest"]


class Remark(StrEnum):
    """A remark on a contour, for its reader. Remarks are counted in contours."""

    NO_AREA = "points or lines: no area to fill"
    TOO_FEW_POINTS = "closed contour of fewer than three points, left out"
    OFF_SLICE = "not on a slice's plane"
    MOVED_TO_SLICE = "put onto the nearest slice's plane"
    NOT_IN_PLANE = "tilted against the slices, left out"
    BEYOND_IMAGE = "reaches beyond the image, cut there"
    OTHER_IMAGE = "names another slice's image than the one it lies on"
    UNKNOWN_IMAGE = "names an image that is not in the series"
    NESTED = "lies within another of the same ROI and slice: a hole, or an island in a hole"
    CROSSING = "crosses another of the same ROI and slice, joined with it"
    TOUCHING = "touches another of the same ROI and slice, joined with it"
    SELF_CROSSING = "crosses itself, filled by the even-odd rule"
    DUPLICATE = "repeats another contour of the same ROI and slice, left out"


@dataclass(frozen=True, eq=False)
class RoiMask:
    """A region as voxels.

    values: bool (z, y, x), cropped; of shape (0, 0, 0) where nothing lies on the grid.
    offset: index (z, y, x) of values[0, 0, 0] in the grid.
    remarks: number of contours for each remark that applies.
    """

    values: NDArray[np.bool_]
    offset: tuple[int, int, int]
    remarks: Mapping[Remark, int]

    @property
    def slices(self) -> tuple[int, ...]:
        """Grid slices with at least one voxel."""
        return tuple(int(k) + self.offset[0] for k in np.flatnonzero(self.values.any(axis=(1, 2))))

    @property
    def box(self) -> Box:
        """Where the values lie in the grid."""
        z, y, x = (slice(o, o + n) for o, n in zip(self.offset, self.values.shape, strict=True))
        return z, y, x

    def full(self, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """The mask on a whole grid of that shape."""
        mask = np.zeros(shape, dtype=np.bool_)
        mask[self.box] = self.values
        return mask


def rasterise(
    structure_set: StructureSet,
    grid: Grid,
    *,
    sop_instance_uids: Sequence[str] | None = None,
    nested: Nested = "xor",
    off_slice: OffSlice = "leave",
) -> Iterator[tuple[Roi, RoiMask]]:
    """Yield each region with its mask, one at a time, so that only one is in memory."""
    for roi in structure_set.rois:
        yield (
            roi,
            rasterise_roi(
                roi,
                grid,
                sop_instance_uids=sop_instance_uids,
                nested=nested,
                off_slice=off_slice,
            ),
        )


def rasterise_roi(
    roi: Roi,
    grid: Grid,
    *,
    sop_instance_uids: Sequence[str] | None = None,
    nested: Nested = "xor",
    off_slice: OffSlice = "leave",
) -> RoiMask:
    """Fill one region's closed contours on the grid.

    sop_instance_uids: of the grid's slices, to compare them with the images that contours name.
    nested: how a plain CLOSED_PLANAR contour within another is used: "xor" (a hole) or "union" (it
        adds nothing). Contours that cross are joined in both cases. CLOSEDPLANAR_XOR always
        combines by exclusive or.
    off_slice: "leave" out contours that are on no slice, or put them on the "nearest" slice if they
        are within half the distance to its neighbour.
    """
    remarks: Counter[Remark] = Counter()
    planes: dict[int, list[_Plane]] = {}
    for contour in roi.contours:
        placed = _placed(contour, grid, off_slice, remarks)
        if placed is None:
            continue
        k, height, ring = placed
        _compare_image(contour, k, sop_instance_uids, remarks)
        high = np.array(grid.shape[1:]) - 0.5 + EDGE_PIXELS
        if (ring < -0.5 - EDGE_PIXELS).any() or (ring > high).any():
            remarks[Remark.BEYOND_IMAGE] += 1
        _plane_at(planes.setdefault(k, []), height).add(ring, contour.type)
    return _filled(planes, grid, nested, remarks)


def arrangement_remarks(arrangement: Arrangement, rings: Sequence[Ring]) -> Counter[Remark]:
    """Remarks on the plain contours of one plane, (n, 2) in mm each."""
    return Counter(
        {
            Remark.NESTED: len(arrangement.having(Relation.HOLDING)),
            Remark.CROSSING: len(arrangement.having(Relation.CROSSING)),
            Remark.TOUCHING: len(arrangement.having(Relation.TOUCHING)),
            Remark.DUPLICATE: len(arrangement.repeated),
            Remark.SELF_CROSSING: sum(map(crosses_itself, rings)),
        }
    )


@dataclass(eq=False)
class _Plane:
    """Contours on one plane, each (row, column). height: position along the normal, mm."""

    height: float
    plain: list[Ring] = field(default_factory=list)
    exclusive: list[Ring] = field(default_factory=list)

    def add(self, ring: Ring, kind: GeometricType) -> None:
        (self.exclusive if kind is GeometricType.XOR else self.plain).append(ring)


def _plane_at(planes: list[_Plane], height: float) -> _Plane:
    """The slice's plane at that height, or a new one.

    Contours of several planes may be put onto one slice; they do not make holes in each other.
    """
    for plane in planes:
        if abs(plane.height - height) <= PLANE_TOLERANCE_MM:
            return plane
    planes.append(_Plane(height))
    return planes[-1]


def _placed(
    contour: Contour, grid: Grid, off_slice: OffSlice, remarks: Counter[Remark]
) -> tuple[int, float, Ring] | None:
    """Slice index, height in mm along the normal, and ring (row, column) of a contour.

    Contours on a slice's plane have that slice's height. None, with a remark, for a contour that is
    on no slice or encloses nothing.
    """
    if contour.type not in (GeometricType.CLOSED_PLANAR, GeometricType.XOR):
        remarks[Remark.NO_AREA] += 1
        return None
    if len(contour.points_lps) < 3:
        remarks[Remark.TOO_FEW_POINTS] += 1
        return None
    axes = grid.patient_to_axes(contour.points_lps)
    low, high = float(axes[:, 0].min()), float(axes[:, 0].max())
    if high - low > 2 * PLANE_TOLERANCE_MM:
        remarks[Remark.NOT_IN_PLANE] += 1
        return None
    middle = (low + high) / 2
    k = int(np.argmin(np.abs(grid.offsets_mm - middle)))
    distance = abs(float(grid.offsets_mm[k]) - middle)
    if distance > PLANE_TOLERANCE_MM:
        if off_slice == "leave" or distance > float(grid.slice_thickness_mm[k]) / 2:
            remarks[Remark.OFF_SLICE] += 1
            return None
        remarks[Remark.MOVED_TO_SLICE] += 1
    else:
        middle = float(grid.offsets_mm[k])
    return k, middle, axes[:, 1:] / grid.spacing_yx


def _compare_image(
    contour: Contour, k: int, uids: Sequence[str] | None, remarks: Counter[Remark]
) -> None:
    if uids is None or contour.sop_instance_uid is None or contour.sop_instance_uid == uids[k]:
        return
    known = contour.sop_instance_uid in uids
    remarks[Remark.OTHER_IMAGE if known else Remark.UNKNOWN_IMAGE] += 1


def _filled(
    planes: dict[int, list[_Plane]], grid: Grid, nested: Nested, remarks: Counter[Remark]
) -> RoiMask:
    rings = [ring for own in planes.values() for p in own for ring in (*p.plain, *p.exclusive)]
    window = window_of(rings, grid.shape[1], grid.shape[2])
    if not planes or 0 in window.shape:
        return RoiMask(np.zeros((0, 0, 0), dtype=np.bool_), (0, 0, 0), dict(remarks))
    bottom, top = min(planes), max(planes)
    values = np.zeros((top - bottom + 1, *window.shape), dtype=np.bool_)
    for k, own in planes.items():
        for plane in own:
            values[k - bottom] |= _plane_mask(plane, grid, window, nested, remarks)
    return RoiMask(values, (bottom, window.row, window.column), dict(remarks))


def _plane_mask(
    plane: _Plane, grid: Grid, window: Window, nested: Nested, remarks: Counter[Remark]
) -> NDArray[np.bool_]:
    """Bool (rows, columns) of the window, from plain contours and then exclusive ones."""
    mask = np.zeros(window.shape, dtype=np.bool_)
    in_mm = [ring * grid.spacing_yx for ring in plane.plain]
    arrangement = arrange(in_mm)
    remarks += arrangement_remarks(arrangement, in_mm)
    for solid, holes in arrangement.solids:
        part, target = _part(plane.plain[solid], grid, window, mask)
        area = fill(plane.plain[solid], part)
        for hole in holes if nested == "xor" else ():
            area &= ~fill(plane.plain[hole], part)
        target |= area
    seen: set[bytes] = set()
    for ring in plane.exclusive:
        key = np.unique(ring, axis=0).tobytes()
        if key in seen:
            remarks[Remark.DUPLICATE] += 1
            continue
        seen.add(key)
        part, target = _part(ring, grid, window, mask)
        target ^= fill(ring, part)
    return mask


def _part(
    ring: Ring, grid: Grid, window: Window, mask: NDArray[np.bool_]
) -> tuple[Window, NDArray[np.bool_]]:
    """The part of a window that a ring covers, and the mask's view of it."""
    part = window_of([ring], grid.shape[1], grid.shape[2])
    row, column = part.row - window.row, part.column - window.column
    return part, mask[row : row + part.rows, column : column + part.columns]
