"""Structures combined on every slice: union, intersection, what one leaves of another, planes.

Surfaces are signed distances on the pixels, the structure where they are 0 or more. Their minimum
and maximum keep each surface where it was, below a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oarflow.derived.levels import field_of_level, ramp_mm
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.types import Box, FloatVoxels

SEAM_MM = 0.1
"""Gaps between two structures of a union up to this width are closed: the two touch."""

STEEP = 90.0
"""Percentile of the changes of a field across its surface that gives its slope."""

OUTSIDE_MM = np.float32(1e-3)
"""A voxel on the surface of what is left out counts as left out."""


def union(
    fields: Sequence[ProbabilityField], grid: Grid, seam_mm: float = SEAM_MM
) -> ProbabilityField | None:
    """All that lies in at least one structure. None where nothing does.

    seam_mm: gaps between structures up to this width are closed.
    """
    box = _around([field.box for field in fields])
    level = _level(fields[0], grid, box)
    for field in fields[1:]:
        other = _level(field, grid, box)
        seam = (level > -seam_mm) & (other > -seam_mm)
        closed = np.where(seam, level + other + np.float32(seam_mm), level)
        level = np.maximum(np.maximum(level, other), closed)
    return field_of_level(level, box, grid)


def intersection(fields: Sequence[ProbabilityField], grid: Grid) -> ProbabilityField | None:
    """All that lies in every structure. None where nothing does."""
    box = _common([field.box for field in fields])
    if box is None:
        return None
    level = _level(fields[0], grid, box)
    for field in fields[1:]:
        level = np.minimum(level, _level(field, grid, box))
    return field_of_level(level, box, grid)


def difference(
    field: ProbabilityField, without: Sequence[ProbabilityField], grid: Grid
) -> ProbabilityField | None:
    """A structure without others; no voxel is in the result and in one of them. None if empty."""
    level = _level(field, grid, field.box)
    for other in without:
        level = np.minimum(level, -_level(other, grid, field.box) - OUTSIDE_MM)
    return field_of_level(level, field.box, grid)


def between(
    field: ProbabilityField, grid: Grid, low_mm: float, high_mm: float
) -> ProbabilityField | None:
    """The slices of a structure whose planes lie within a range. None where there are none.

    low_mm, high_mm: along the normal, from the first slice.
    """
    at = grid.offsets_mm[field.box[0]]
    kept = np.flatnonzero((at >= low_mm) & (at <= high_mm))
    if not len(kept) or not field.mask[kept].any():
        return None
    values = field.values[kept[0] : kept[-1] + 1]
    z, y, x = field.offset
    return ProbabilityField(values, (z + int(kept[0]), y, x), field.threshold)


def ends_mm(field: ProbabilityField, grid: Grid) -> tuple[float, float]:
    """Lowest and highest plane of a structure, in mm along the normal from the first slice.

    An end lies half-way to the next slice. Raises ValueError where the structure is empty.
    """
    z = field.mask_box[0]
    at = grid.offsets_mm
    half = grid.slice_thickness_mm / 2
    low = at[0] - half[0] if not z.start else (at[z.start - 1] + at[z.start]) / 2
    high = at[-1] + half[-1] if z.stop == len(at) else (at[z.stop - 1] + at[z.stop]) / 2
    return float(low), float(high)


def _level(field: ProbabilityField, grid: Grid, box: Box) -> FloatVoxels:
    """A field's surface as a level in mm (positive inside), cut at its ramp, in a box of the CT."""
    values = np.zeros([side.stop - side.start for side in box], dtype=np.float32)
    both = _common([field.box, box])
    if both is not None:
        values[_within(both, box)] = field.values[_within(both, field.box)]
    slope = _slope(values, field.threshold, grid)
    most = np.float32(ramp_mm(grid))
    level = (values - np.float32(field.threshold)) / np.float32(slope)
    return np.asarray(np.clip(level, -most, most))


def _slope(values: FloatVoxels, threshold: float, grid: Grid) -> float:
    """Change per mm of a field across its surface where it is steep; one for a whole field.

    A common factor leaves the surface where it is.
    """
    inside = values >= threshold
    found = []
    for axis, mm in ((1, grid.spacing_yx[0]), (2, grid.spacing_yx[1])):
        across = np.diff(inside.view(np.int8), axis=axis) != 0
        found.append(np.abs(np.diff(values, axis=axis)[across]) / mm)
    steps: NDArray[np.float32] = np.concatenate(found)
    return float(np.percentile(steps, STEEP)) if len(steps) else 1 / max(grid.spacing_yx)


def _around(boxes: Sequence[Box]) -> Box:
    z, y, x = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return z, y, x


def _common(boxes: Sequence[Box]) -> Box | None:
    z, y, x = (
        slice(max(side.start for side in sides), min(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return (z, y, x) if all(side.start < side.stop for side in (z, y, x)) else None


def _within(part: Box, box: Box) -> Box:
    """A part of a box, in the box's own indices."""
    z, y, x = (
        slice(one.start - whole.start, one.stop - whole.start)
        for one, whole in zip(part, box, strict=True)
    )
    return z, y, x
