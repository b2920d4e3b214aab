"""Resampling between an image's voxels and the network's, as nnU-Net does it.

A spline on voxel edges along all axes, or slice by slice and then along the axis of thick slices.
With corners, a spline between the centres of the outermost voxels, as TotalSegmentator does.
From the first voxel, linear interpolation or the nearest voxel, as MONAI does.
Arrays and lengths are in the network's axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.networks.imported.card import Alignment, SplineResampling
from oarflow.types import FloatArray, Triple

THICK_SLICES = 3.0
"""An axis is resampled alone if its spacing is more than this many times the smallest one."""

Shape = tuple[int, int, int]
AxisMatrices = tuple[FloatArray | None, FloatArray | None, FloatArray | None]
"""(new, current) weights for each axis; None leaves it as it is."""


def thick_axis(current: Triple, new: Triple, rule: SplineResampling) -> int | None:
    """The axis that is resampled alone: the current spacing decides, then the new one."""
    if rule.separate_z is False or rule.align != "edges":
        return None
    for spacing in (current,) if rule.separate_z else (current, new):
        if rule.separate_z or max(spacing) / min(spacing) > THICK_SLICES:
            thickest = [axis for axis, step in enumerate(spacing) if step == max(spacing)]
            return thickest[0] if len(thickest) == 1 else None
    return None


def resampled(
    values: NDArray[Any], shape: Shape, current: Triple, new: Triple, rule: SplineResampling
) -> NDArray[Any]:
    """Values (3 axes) on a grid of another shape, in their own type.

    current, new: spacings in mm of the values and of the result.
    """
    if rule.align == "first":
        return _from_first(values, shape, current, new, rule)
    if values.shape == shape:
        return values
    axis = thick_axis(current, new, rule)
    exact = values.astype(np.float64)
    if axis is None:
        return _spline(exact, shape, rule).astype(values.dtype)
    inner = tuple(size for place, size in enumerate(shape) if place != axis)
    planes = [_spline(plane, inner, rule) for plane in np.moveaxis(exact, axis, 0)]
    exact = np.stack(planes, axis)
    if exact.shape[axis] != shape[axis]:
        along = positions(exact.shape[axis], shape[axis])
        every = [np.arange(size, dtype=np.float64) for size in shape]
        every[axis] = along
        where: FloatArray = np.array(np.meshgrid(*every, indexing="ij"))
        exact = ndimage.map_coordinates(exact, where, order=rule.order_z, mode="nearest")
    return exact.astype(values.dtype)


def axis_matrices(
    before: Shape, after: Shape, current: Triple, new: Triple, rule: SplineResampling
) -> AxisMatrices:
    """The same resampling as one matrix for each axis, without the limit to the values' range."""
    if rule.align == "first":
        steps = zip(before, after, current, new, strict=True)
        z, y, x = (_first_matrix(old, size, to / own, rule) for old, size, own, to in steps)
        return z, y, x
    axis = thick_axis(current, new, rule)
    matrices: list[FloatArray | None] = []
    for place, (old, size) in enumerate(zip(before, after, strict=True)):
        if before == after or (place == axis and old == size):
            matrices.append(None)
        elif place == axis:
            at: FloatArray = np.array(
                np.meshgrid(positions(old, size), np.arange(old), indexing="ij")
            )
            unit: FloatArray = np.eye(old)
            matrices.append(ndimage.map_coordinates(unit, at, order=rule.order_z, mode="nearest"))
        else:
            matrices.append(_zoom(np.eye(old), (size, old), rule))
    z, y, x = matrices
    return z, y, x


def positions(old: int, new: int, *, align: Alignment = "edges", ratio: float = 1.0) -> FloatArray:
    """(new,) indices among `old` voxels along an axis at which the new voxels lie.

    ratio: the new spacing divided by the old one; used where the first voxels coincide. Indices may
    then lie beyond the last voxel.
    """
    if align == "first":
        return cast(FloatArray, np.arange(new) * ratio)
    if align == "corners":
        return np.linspace(0.0, old - 1.0 if new > 1 else 0.0, new)
    return cast(FloatArray, old / new * (np.arange(new) + 0.5) - 0.5)


def _from_first(
    values: NDArray[Any], shape: Shape, current: Triple, new: Triple, rule: SplineResampling
) -> NDArray[Any]:
    """Values on a grid with the same first voxel, one axis after another."""
    found: NDArray[Any] = values.astype(np.float64)
    for axis, matrix in enumerate(axis_matrices(values.shape, shape, current, new, rule)):
        if matrix is not None:
            found = np.moveaxis(np.tensordot(matrix, found, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(found).astype(values.dtype)


def _first_matrix(old: int, size: int, ratio: float, rule: SplineResampling) -> FloatArray | None:
    """(size, old) weights of one axis; None where every voxel stays."""
    if old == size and ratio == 1:
        return None
    index = np.clip(positions(old, size, align="first", ratio=ratio), 0, old - 1)
    if rule.order == 0:
        index = np.rint(index)
    low = np.minimum(index.astype(int), max(old - 2, 0))
    matrix, rows = np.zeros((size, old)), np.arange(size)
    np.add.at(matrix, (rows, low), 1 - (index - low))
    np.add.at(matrix, (rows, np.minimum(low + 1, old - 1)), index - low)
    return matrix


def _spline(values: FloatArray, shape: Sequence[int], rule: SplineResampling) -> FloatArray:
    """The zoom; on voxel edges, limited to the values' range."""
    zoomed = _zoom(values, shape, rule)
    return zoomed if rule.align == "corners" else np.clip(zoomed, values.min(), values.max())


def _zoom(values: FloatArray, shape: Sequence[int], rule: SplineResampling) -> FloatArray:
    factors = [new / old for new, old in zip(shape, values.shape, strict=True)]
    zoomed: FloatArray = ndimage.zoom(
        values, factors, order=rule.order, mode="nearest", grid_mode=rule.align == "edges"
    )
    return zoomed
