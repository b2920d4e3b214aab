"""Surfaces as levels in mm on the CT's pixels, and fields made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.derived.sections import Lattice
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.types import Box, FloatVoxels, Mask

RAMP_PIXELS = 1.5
"""A field of a derived structure rises from 0 to 1 within this many pixels on each side."""


FloatPlane = NDArray[np.float32]
"""Values of one slice, (row, column)."""


def ramp_mm(grid: Grid) -> float:
    """Distance from the surface (mm) at which a derived structure's field reaches 0 and 1."""
    return RAMP_PIXELS * max(grid.spacing_yx)


def as_field(
    distance: FloatVoxels, lattice: Lattice, grid: Grid, stretch: float = 1.0
) -> ProbabilityField | None:
    """The field of signed distances (mm, positive inside) at a lattice's points.

    Its surface lies at probability 0.5, exactly where the distance is 0. None where no lattice
    point is inside. stretch: how much longer than in mm distances are in some direction.
    """
    inside = distance >= 0
    if not inside.any():
        return None
    z, rows, columns = _with_border(inside)
    stride = lattice.stride
    low = (z.start, rows.start * stride, columns.start * stride)
    high = (
        min(side.stop - side.start, (part.stop - 1) * stride + 1)
        for side, part in zip(lattice.box[1:], (rows, columns), strict=True)
    )
    height, width = (end - start for end, start in zip(high, low[1:], strict=True))
    values = np.empty((z.stop - z.start, height, width), dtype=np.float32)
    for number, known in enumerate(distance[z, rows, columns]):
        values[number] = _as_probability(_on_pixels(known, stride, (height, width)), grid, stretch)
    start = [side.start + first for side, first in zip(lattice.box, low, strict=True)]
    return ProbabilityField(values, (start[0], start[1], start[2]))


def _as_probability(level: FloatVoxels, grid: Grid, stretch: float = 1.0) -> FloatVoxels:
    values = level * np.float32(1 / (2 * ramp_mm(grid) * stretch))
    values += np.float32(0.5)
    return np.clip(values, 0, 1, out=values)


def field_of_level(level: FloatVoxels, box: Box, grid: Grid) -> ProbabilityField | None:
    """The field of signed distances (mm, positive inside) at a box's pixels, cropped."""
    inside = level >= 0
    if not inside.any():
        return None
    crop = _with_border(inside)
    z, y, x = (side.start + part.start for side, part in zip(box, crop, strict=True))
    return ProbabilityField(_as_probability(level[crop], grid), (z, y, x))


def _with_border(inside: Mask) -> Box:
    """The smallest box around a mask with one pixel more on each side of a slice, if there is."""
    crop = []
    for axis, border in enumerate((0, 2, 2)):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(inside.any(axis=others))
        size = inside.shape[axis]
        crop.append(slice(max(0, int(filled[0]) - border), min(size, int(filled[-1]) + 1 + border)))
    return crop[0], crop[1], crop[2]


def _on_pixels(distance: FloatPlane, stride: int, shape: tuple[int, int]) -> FloatPlane:
    """One slice's lattice values on every pixel of a shape.

    They are bilinear near the surface; elsewhere only the sign holds.
    """
    if stride == 1:
        return distance[: shape[0], : shape[1]]
    result = distance.repeat(stride, axis=0)[: shape[0]].repeat(stride, axis=1)[:, : shape[1]]
    i, j = np.nonzero(_crossed(distance >= 0))
    below, right = np.minimum(i + 1, len(distance) - 1), np.minimum(j + 1, distance.shape[1] - 1)
    corners = distance[i, j], distance[i, right], distance[below, j], distance[below, right]
    for down in range(stride):
        for across in range(stride):
            row, column = i * stride + down, j * stride + across
            kept = (row < shape[0]) & (column < shape[1])
            v, h = np.float32(down / stride), np.float32(across / stride)
            upper = (1 - h) * corners[0] + h * corners[1]
            lower = (1 - h) * corners[2] + h * corners[3]
            result[row[kept], column[kept]] = ((1 - v) * upper + v * lower)[kept]
    return result


def _crossed(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells (by their first corner) whose corners differ, and the cells beside them."""
    first = inside[:-1, :-1]
    mixed = (first != inside[1:, :-1]) | (first != inside[:-1, 1:]) | (first != inside[1:, 1:])
    beside = np.zeros(inside.shape, dtype=np.uint8)
    beside[:-1, :-1] = mixed
    for axis in (0, 1):
        beside = ndimage.maximum_filter1d(beside, 3, axis=axis, mode="constant")
    return np.asarray(beside.view(np.bool_))
