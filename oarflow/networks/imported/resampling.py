"""nnU-Net's resampling between an image's voxels and the network's.

A spline on voxel edges along all axes, or slice by slice and then along the axis of thick slices.
With `corners`, a spline between the centres of the outermost voxels, as TotalSegmentator does.
Arrays and lengths are in the network's axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.networks.imported.card import SplineResampling
from oarflow.types import FloatArray, Triple

THICK_SLICES = 3.0
"""An axis is resampled alone if its spacing is more than this many times the smallest one."""

Shape = tuple[int, int, int]
AxisMatrices = tuple[FloatArray | None, FloatArray | None, FloatArray | None]
"""(new, current) weights for each axis; None leaves it as it is."""


def thick_axis(current: Triple, new: Triple, rule: SplineResampling) -> int | None:
    """The axis that is resampled alone: the current spacing decides, then the new one."""
    if rule.separate_z is False or rule.corners:
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


def positions(old: int, new: int, *, corners: bool = False) -> FloatArray:
    """(new,) indices among `old` voxels along an axis at which the new voxels lie."""
    if corners:
        return np.linspace(0.0, old - 1.0 if new > 1 else 0.0, new)
    return cast(FloatArray, old / new * (np.arange(new) + 0.5) - 0.5)


def _spline(values: FloatArray, shape: Sequence[int], rule: SplineResampling) -> FloatArray:
    """The zoom; on voxel edges, limited to the values' range."""
    zoomed = _zoom(values, shape, rule)
    return zoomed if rule.corners else np.clip(zoomed, values.min(), values.max())


def _zoom(values: FloatArray, shape: Sequence[int], rule: SplineResampling) -> FloatArray:
    factors = [new / old for new, old in zip(shape, values.shape, strict=True)]
    zoomed: FloatArray = ndimage.zoom(
        values, factors, order=rule.order, mode="nearest", grid_mode=not rule.corners
    )
    return zoomed
