"""Slices above and below a contour where much of the CT was cut away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.structures import Side

NEAR_MM = 9.0
"""Distance (mm) around the contour's end within which slices are compared."""

BODY_HU = -300.0
"""Voxels above this are the patient (and the couch)."""

MOST_CHANGE = 1.5
"""A body's cross-section changes between slices by less than this factor. It changes by more where
a CT was cut to a region or masked to a strip around one organ."""


def hidden_ends(
    hu: NDArray[np.float32], grid: Grid, low_mm: float, high_mm: float
) -> frozenset[Side]:
    """Which ends of a contour, INFERIOR or SUPERIOR, lie where much of the CT was cut away.

    Neither a network nor a rule can see what continues there. hu: float32 (z, y, x), the CT on the
    grid. low_mm, high_mm: lower and upper face of the contour along z, from the grid's first voxel.
    The CT's own first and last slices do not count as cut away.
    """
    ends = ((Side.INFERIOR, low_mm), (Side.SUPERIOR, high_mm))
    return frozenset(side for side, end in ends if _changes(hu, grid.axis_mm(0), end))


def _changes(hu: NDArray[np.float32], places: NDArray[np.float64], end_mm: float) -> bool:
    near = np.flatnonzero(np.abs(places - end_mm) <= NEAR_MM)
    areas = np.array([np.count_nonzero(hu[plane] > BODY_HU) for plane in near], dtype=float)
    least = np.minimum(areas[1:], areas[:-1])
    return bool((np.maximum(areas[1:], areas[:-1]) > MOST_CHANGE * least).any())
