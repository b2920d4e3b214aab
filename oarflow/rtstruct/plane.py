"""From pixels to the rounded patient coordinates of a file, on each slice's plane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid

PLANE_TOLERANCE_MM = 0.0005
"""Greatest variation in mm of a constant coordinate within a slice. All points then have the
slice's own coordinate, as in its header."""

OBLIQUE_DECIMALS = 3
"""Least number of decimals if no axis is constant: fewer would leave the plane by 0.001 mm."""


@dataclass(frozen=True, eq=False)
class SlicePlanes:
    """The planes of a grid's slices, with points rounded to decimals of a millimetre."""

    grid: Grid
    decimals: int

    @cached_property
    def constant_axis(self) -> int | None:
        """The patient axis (0 x, 1 y, 2 z) that is constant within a slice; None: oblique."""
        _, rows, columns = self.grid.shape
        reach = np.abs(self.grid.y_direction) * rows * self.grid.spacing_yx[0]
        reach = reach + np.abs(self.grid.x_direction) * columns * self.grid.spacing_yx[1]
        axis = int(np.argmin(reach))
        return axis if reach[axis] <= PLANE_TOLERANCE_MM else None

    @cached_property
    def written_decimals(self) -> int:
        """Decimals of the coordinates that vary within a slice."""
        return max(self.decimals, OBLIQUE_DECIMALS) if self.oblique else self.decimals

    @property
    def oblique(self) -> bool:
        """Whether all three coordinates vary within a slice."""
        return self.constant_axis is None

    @cached_property
    def step_mm(self) -> float:
        """The rounding step of coordinates in mm."""
        return float(10.0**-self.written_decimals)

    @cached_property
    def flat_axes(self) -> tuple[int, int]:
        """The two patient axes of a slice's projection (without the axis nearest to its normal)."""
        dropped = int(np.argmax(np.abs(self.grid.normal)))
        first, second = (axis for axis in range(3) if axis != dropped)
        return first, second

    @cached_property
    def area_mm2(self) -> float:
        """Area in the slice, in mm2, of one square step in the projection."""
        return float(self.step_mm**2 / np.abs(self.grid.normal).max())

    def rounded(
        self, rows_columns: NDArray[np.float64], slices: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Patient points of (n, 2) fractional (row, column) on the slices (n,).

        Returns (n, 3) points (x, y, z) LPS in mm, rounded, and (n, 2) whole steps along the flat
        axes, with which the shapes of rings can be compared exactly.
        """
        height, width = self.grid.spacing_yx
        exact = (
            self.grid.positions_lps[slices]
            + rows_columns[:, :1] * height * self.grid.y_direction
            + rows_columns[:, 1:] * width * self.grid.x_direction
        )
        per_mm = round(1.0 / self.step_mm)
        steps = np.rint(exact * per_mm).astype(np.int64)
        points = steps / float(per_mm)
        if self.constant_axis is not None:
            axis = self.constant_axis
            points[:, axis] = self.grid.positions_lps[slices, axis]
        return points, steps[:, list(self.flat_axes)]
