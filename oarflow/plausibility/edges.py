"""Where the CT itself ends or was cut away above and below a contour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.structures import Side

NEAR_MM = 9.0
"""So near the contour's end the CT is looked at."""

BODY_HU = -300.0
"""Voxels above this are the patient (and the couch)."""

MOST_CHANGE = 1.5
"""A body's cross-section changes from slice to slice by less than this factor; where a CT was cut
to a region, or masked to a strip about one organ, it changes by more."""


def hidden_ends(
    hu: NDArray[np.float32], grid: Grid, low_mm: float, high_mm: float
) -> frozenset[Side]:
    """Which ends of a contour, INFERIOR or SUPERIOR, lie where much of the CT was cut away.

    What goes on there cannot be seen, neither by a network nor by a rule. hu: float32 (z, y, x),
    the CT on the grid. low_mm, high_mm: lower and upper face of the contour along z, from the
    grid's first voxel. The CT's own first and last slices hide nothing.
    """
    ends = ((Side.INFERIOR, low_mm), (Side.SUPERIOR, high_mm))
    return frozenset(side for side, end in ends if _changes(hu, grid.axis_mm(0), end))


def _changes(hu: NDArray[np.float32], places: NDArray[np.float64], end_mm: float) -> bool:
    near = np.flatnonzero(np.abs(places - end_mm) <= NEAR_MM)
    areas = np.array([np.count_nonzero(hu[plane] > BODY_HU) for plane in near], dtype=float)
    least = np.minimum(areas[1:], areas[:-1])
    return bool((np.maximum(areas[1:], areas[:-1]) > MOST_CHANGE * least).any())
