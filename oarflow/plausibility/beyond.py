"""Whether the organ continues in the CT beyond the end of its contour.

A contour that ends too early does not end at an edge: the tissue just beyond it looks like the
organ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.types import Mask, Triple

DEPTHS_MM = (3.0, 6.0, 9.0)
"""Distances (mm) beyond the contour at which HU are sampled."""

VOXEL_MM = 2.0
"""In a finer CT only every second, third, ... voxel is sampled."""

OWN_PERCENT = (5.0, 95.0)
"""Voxels with HU between these percentiles of the organ's HU look like the organ."""

NO_VALUE_HU = -1024.0
"""Voxels up to this HU were not reconstructed or were masked; they never look like the organ."""


def going_on(
    hu: NDArray[np.float32], grid: Grid, mask: Mask, box: tuple[slice, ...]
) -> tuple[Triple, Triple]:
    """Shares of the voxels just beyond the contour that look like the organ: low and high sides.

    hu: float32 (z, y, x), the CT on the grid. mask: bool, not empty, of the voxels of a box of it.
    Returns, for each axis (z, y, x), shares of the voxels up to 9 mm beyond the contour toward that
    axis' low, and high, end; 0 where the contour ends with the CT.
    """
    strides = [max(1, int(VOXEL_MM / step + 0.25)) for step in grid.spacing_zyx]
    steps = [step * stride for step, stride in zip(grid.spacing_zyx, strides, strict=True)]
    pads = [(round(DEPTHS_MM[-1] / step) + 1) * n for step, n in zip(steps, strides, strict=True)]
    room, whole = _with_room(mask, box, grid.shape, pads)
    every = tuple(slice(None, None, stride) for stride in strides)
    mask, values = whole[every], hu[room][every]
    own = values[mask & (values > NO_VALUE_HU)]
    if not own.size:
        return (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    low, high = np.percentile(own, OWN_PERCENT)
    like = (values >= low) & (values <= high) & (values > NO_VALUE_HU)

    def side(axis: int, *, up: bool) -> float:
        return _share(_turned(mask, axis, up=up), _turned(like, axis, up=up), steps[axis])

    return (
        (side(0, up=False), side(1, up=False), side(2, up=False)),
        (side(0, up=True), side(1, up=True), side(2, up=True)),
    )


def _with_room(
    mask: Mask, box: tuple[slice, ...], shape: tuple[int, ...], pads: list[int]
) -> tuple[tuple[slice, ...], Mask]:
    """A wider box, cut at the CT's edges, and the mask in it."""
    room = tuple(
        slice(max(0, part.start - pad), min(size, part.stop + pad))
        for part, pad, size in zip(box, pads, shape, strict=True)
    )
    whole = np.zeros([part.stop - part.start for part in room], dtype=bool)
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(box, room, strict=True)
    )
    whole[inner] = mask
    return room, whole


def _turned(voxels: Mask, axis: int, *, up: bool) -> Mask:
    """The voxels with the axis first, ascending toward the sampled side."""
    along = np.moveaxis(voxels, axis, 0)
    return along if up else along[::-1]


def _share(mask: Mask, like: Mask, step_mm: float) -> float:
    """Share of the voxels above the mask, at each depth, that look like it."""
    total = alike = 0
    for planes in sorted({max(1, round(depth / step_mm)) for depth in DEPTHS_MM}):
        beyond = mask[:-planes] & ~mask[planes:]
        total += int(np.count_nonzero(beyond))
        alike += int(np.count_nonzero(beyond & like[planes:]))
    return alike / total if total else 0.0
