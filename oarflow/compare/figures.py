"""Figures of one organ's edit: the delivered region compared with the returned one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from oarflow.compare.added_path import added_path_length
from oarflow.compare.matching import Pair
from oarflow.compare.overlap import overlap
from oarflow.compare.records import Change, OrganEdit
from oarflow.compare.surfaces import surface_distances
from oarflow.geometry import Grid
from oarflow.rtstruct.model import GeometricType, Roi
from oarflow.rtstruct.raster import RoiMask, rasterise_roi
from oarflow.types import Mask

TOUCHED_MM = 0.5
"""A slice counts as edited if its outline moved by more than this (mm) anywhere. Changes by import
and export of a planning system stay below it."""


def organ_edit(pair: Pair, grid: Grid, network: str | None, tolerance_mm: float) -> OrganEdit:
    """Compare a pair of regions. network: of the delivered region."""
    both = pair.before, pair.after
    outlines = [_outlines(roi, grid) for roi in both]
    slices = sorted(outlines[0].keys() | outlines[1].keys())
    touched = sum(_moved(outlines[0].get(k), outlines[1].get(k)) for k in slices)
    before, after = _masks(both, grid)
    distances = surface_distances(before, after, grid.spacing_zyx)
    hd95 = distances.hausdorff(95)
    counts = overlap(before, after)
    voxel_cc = float(np.prod(grid.spacing_zyx)) / 1000
    return OrganEdit(
        organ=pair.organ,
        change=_change(counts.mask > 0, counts.reference > 0, touched),
        network=network if pair.before else None,
        surface_dice=distances.surface_dice(tolerance_mm),
        dice=counts.dice,
        hd95_mm=hd95 if np.isfinite(hd95) else None,
        added_path_mm=added_path_length(before, after, grid.spacing_zyx) if touched else 0.0,
        volume_before_cc=counts.mask * voxel_cc,
        volume_after_cc=counts.reference * voxel_cc,
        slices_touched=touched,
        slices=len(slices),
    )


def _change(before: bool, after: bool, touched: int) -> Change:
    if before and not after:
        return Change.DELETED
    if after and not before:
        return Change.ADDED
    return Change.EDITED if touched else Change.KEPT


def _outlines(roi: Roi | None, grid: Grid) -> Mapping[int, shapely.MultiLineString]:
    """Closed contours by slice, as lines in mm along rows and columns."""
    rings: dict[int, list[shapely.LineString]] = defaultdict(list)
    for contour in roi.contours if roi else ():
        closed = contour.type in (GeometricType.CLOSED_PLANAR, GeometricType.XOR)
        if closed and len(contour.points_lps) >= 3:
            axes = grid.patient_to_axes(contour.points_lps)
            k = int(np.argmin(np.abs(grid.offsets_mm - axes[:, 0].mean())))
            rings[k].append(shapely.LineString(np.vstack((axes, axes[:1]))[:, 1:]))
    return {k: shapely.MultiLineString(lines) for k, lines in rings.items()}


def _moved(before: shapely.MultiLineString | None, after: shapely.MultiLineString | None) -> bool:
    if before is None or after is None:
        return True
    return bool(before.hausdorff_distance(after) > TOUCHED_MM)


def _masks(pair: Sequence[Roi | None], grid: Grid) -> tuple[Mask, Mask]:
    """Masks of both regions on the smallest common part of the grid."""
    found = [rasterise_roi(roi, grid, off_slice="nearest") if roi else None for roi in pair]
    present = [mask for mask in found if mask is not None and mask.values.size]
    if not present:
        empty = np.zeros((1, 1, 1), dtype=np.bool_)
        return empty, empty
    low = np.min([mask.offset for mask in present], axis=0)
    high = np.max([np.add(mask.offset, mask.values.shape) for mask in present], axis=0)
    before, after = (_within(mask, low, high) for mask in found)
    return before, after


def _within(mask: RoiMask | None, low: Sequence[int], high: Sequence[int]) -> Mask:
    part = np.zeros(np.subtract(high, low), dtype=np.bool_)
    if mask is not None and mask.values.size:
        start = np.subtract(mask.offset, low)
        z, y, x = (slice(int(s), int(s) + n) for s, n in zip(start, mask.values.shape, strict=True))
        part[z, y, x] = mask.values
    return part
