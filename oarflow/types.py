"""Shared types of arrays and tuples, with their axis order and units."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FloatVoxels = NDArray[np.float32]
"""HU, probabilities or other values of voxels, (z, y, x)."""

Mask = NDArray[np.bool_]
"""Voxels inside something, (z, y, x)."""

Box = tuple[slice, slice, slice]
"""A part of an array, (z, y, x)."""

Spacing = tuple[float, float, float]
"""Distances between voxel centres along (z, y, x), in mm."""

Triple = tuple[float, float, float]
"""A position or a length along each axis of a volume (z, y, x), in mm."""

Point = tuple[float, float, float]
"""A point of patient space: (x, y, z) in LPS, in mm."""


def triple(values: Iterable[SupportsFloat]) -> Triple:
    """Three numbers as floats. Raises ValueError for more or fewer."""
    z, y, x = (float(value) for value in values)
    return z, y, x
