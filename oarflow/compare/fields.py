"""Distances between the surfaces of two probability fields, below a voxel."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from oarflow.compare.surfaces import SurfaceDistances, surface_distances
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.types import Mask

STEP_MM = 1.0
"""Greatest spacing at which surfaces are compared. Distances come out too short by about half a
voxel, so that figures of coarse and fine CTs can be compared only at similar spacings."""

MARGIN = 2
"""Voxels around both masks."""


def field_distances(
    first: ProbabilityField, second: ProbabilityField, grid: Grid
) -> SurfaceDistances:
    """Distances in mm between the surfaces of two fields on one CT that are not empty.

    The probabilities are interpolated between voxels. Slices count as evenly spaced.
    """
    spacing = [float(mm) for mm in grid.spacing_zyx]
    factors = [math.ceil(mm / STEP_MM) for mm in spacing]
    boxes = [field.mask_box for field in (first, second)]
    low = [min(box[axis].start for box in boxes) - MARGIN for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) + MARGIN for axis in range(3)]
    one, other = (_fine_mask(field, low, high, factors) for field in (first, second))
    z, y, x = (mm / factor for mm, factor in zip(spacing, factors, strict=True))
    return surface_distances(one, other, (z, y, x))


def _fine_mask(
    field: ProbabilityField, low: list[int], high: list[int], factors: list[int]
) -> Mask:
    """The field's mask between two corners of the CT (z, y, x), each voxel divided by `factors`."""
    values = np.zeros([end - start for start, end in zip(low, high, strict=True)], np.float32)
    whole, part = [], []
    for start, end, side in zip(low, high, field.box, strict=True):
        whole.append(slice(max(side.start - start, 0), max(min(side.stop, end) - start, 0)))
        part.append(slice(max(start - side.start, 0), max(min(side.stop, end) - side.start, 0)))
    values[tuple(whole)] = field.values[tuple(part)]
    fine = ndimage.zoom(values, factors, order=1, mode="grid-constant", grid_mode=True)
    return np.asarray(fine >= field.threshold)
