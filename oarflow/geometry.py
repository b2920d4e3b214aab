"""Patient space: a stack of parallel slices, its axes, and maps between index and millimetres.

Pure arithmetic on arrays: no files, no logging. Points in patient space are (x, y, z) in DICOM's
LPS frame, in mm; indices, spacings and axis-wise millimetres are (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from oarflow.types import Box, FloatArray, Spacing, Triple, triple

DIRECTION_TOLERANCE = 1e-4
"""Greatest deviation of a direction cosine's length or of a right angle's cosine."""

STACK_TOLERANCE_MM = 0.1
"""Greatest distance, in mm, of a slice's first voxel from the line along the normal through the
first slice's. Rounded headers and turns of 0.01 degrees stay below it; a tilted gantry does not."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A stack of parallel slices of equal matrix, on their own planes.

    positions_lps: (n, 3), centre of voxel (k, 0, 0) of each slice, in mm; ascending along `normal`.
    x_direction, y_direction: (3,) unit vectors, along growing x (column) and y (row) index.
    spacing_yx: distance between rows, distance between columns, in mm.
    shape: (n, rows, columns).

    Slices may be unevenly spaced. Raises ValueError where the parts do not make such a stack.
    """

    positions_lps: FloatArray
    x_direction: FloatArray
    y_direction: FloatArray
    spacing_yx: tuple[float, float]
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        n = self.shape[0]
        if self.positions_lps.shape != (n, 3):
            raise ValueError(f"{n} slices need positions (n, 3), not {self.positions_lps.shape}")
        if min(self.shape) < 1 or min(self.spacing_yx) <= 0:
            raise ValueError(f"shape {self.shape} and spacing {self.spacing_yx} must be positive")
        for direction in (self.x_direction, self.y_direction):
            if abs(np.linalg.norm(direction) - 1.0) > DIRECTION_TOLERANCE:
                raise ValueError(f"direction {direction} is not a unit vector")
        if abs(float(np.dot(self.x_direction, self.y_direction))) > DIRECTION_TOLERANCE:
            raise ValueError("rows and columns are not at right angles")
        if n > 1:
            steps = np.diff(self.offsets_mm)
            if steps.min() <= 0:
                raise ValueError("slices do not ascend along the normal")
            relative = self.positions_lps - self.positions_lps[0]
            sideways = relative - np.outer(relative @ self.normal, self.normal)
            if float(np.abs(sideways).max()) > STACK_TOLERANCE_MM:
                raise ValueError("the stack is sheared against its slice normal")

    @cached_property
    def normal(self) -> FloatArray:
        """Unit vector (3,) along which slices ascend: x_direction cross y_direction."""
        vector = np.cross(self.x_direction, self.y_direction)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)

    @cached_property
    def offsets_mm(self) -> FloatArray:
        """(n,) distance of each slice from the first along the normal, in mm."""
        return np.asarray((self.positions_lps - self.positions_lps[0]) @ self.normal)

    @cached_property
    def slice_thickness_mm(self) -> FloatArray:
        """(n,) thickness of each slice along the normal in mm: half-way to its neighbours."""
        if self.shape[0] == 1:
            return np.ones(1)
        steps = np.diff(self.offsets_mm)
        return np.asarray(
            (np.concatenate((steps[:1], steps)) + np.concatenate((steps, steps[-1:]))) / 2
        )

    @cached_property
    def spacing_zyx(self) -> Spacing:
        """Median slice distance, row distance and column distance, in mm."""
        step = float(np.median(np.diff(self.offsets_mm))) if self.shape[0] > 1 else 1.0
        return (step, *self.spacing_yx)

    def axis_mm(self, axis: int) -> FloatArray:
        """Voxel centres along one axis (0 z, 1 y, 2 x), in mm from voxel (0, 0, 0)."""
        if axis == 0:
            return self.offsets_mm
        return np.arange(self.shape[axis], dtype=np.float64) * self.spacing_yx[axis - 1]

    def box_ends_mm(self, box: Box) -> tuple[Triple, Triple]:
        """Centres of a box's first and last voxels along (z, y, x), in mm from voxel (0, 0, 0)."""
        axes = [self.axis_mm(axis)[side] for axis, side in enumerate(box)]
        return triple(mm[0] for mm in axes), triple(mm[-1] for mm in axes)

    def index_to_patient(self, index_zyx: ArrayLike) -> FloatArray:
        """Map (..., 3) indices (z, y, x), fractions allowed, to (..., 3) points (x, y, z) LPS."""
        index = np.asarray(index_zyx, dtype=np.float64)
        plane = np.interp(index[..., 0], np.arange(self.shape[0]), self.offsets_mm)
        return self.axes_to_patient(
            np.stack(
                (plane, index[..., 1] * self.spacing_yx[0], index[..., 2] * self.spacing_yx[1]), -1
            )
        )

    def patient_to_index(self, points_lps: ArrayLike) -> FloatArray:
        """Map (..., 3) points (x, y, z) LPS to (..., 3) fractional indices (z, y, x).

        Beyond the first and last slice the index continues linearly.
        """
        axes = self.patient_to_axes(points_lps)
        z = extrapolated(axes[..., 0], self.offsets_mm)
        return np.stack(
            (z, axes[..., 1] / self.spacing_yx[0], axes[..., 2] / self.spacing_yx[1]), -1
        )

    def axes_to_patient(self, axes_mm: ArrayLike) -> FloatArray:
        """Map (..., 3) mm along (z, y, x) from voxel (0, 0, 0) to (..., 3) points (x, y, z) LPS."""
        axes = np.asarray(axes_mm, dtype=np.float64)
        frame = np.stack((self.normal, self.y_direction, self.x_direction))
        return np.asarray(self.positions_lps[0] + axes @ frame)

    def patient_to_axes(self, points_lps: ArrayLike) -> FloatArray:
        """Inverse of `axes_to_patient`: LPS points to mm along (z, y, x) from voxel (0, 0, 0)."""
        frame = np.stack((self.normal, self.y_direction, self.x_direction))
        return np.asarray(
            (np.asarray(points_lps, dtype=np.float64) - self.positions_lps[0]) @ frame.T
        )

    def slice_to_patient(self, k: int, rows_columns: ArrayLike) -> FloatArray:
        """Map (..., 2) fractional (row, column) on slice k to (..., 3) points (x, y, z) LPS."""
        rc = np.asarray(rows_columns, dtype=np.float64)
        return np.asarray(
            self.positions_lps[k]
            + rc[..., :1] * self.spacing_yx[0] * self.y_direction
            + rc[..., 1:] * self.spacing_yx[1] * self.x_direction
        )


def extrapolated(positions_mm: ArrayLike, knots_mm: FloatArray) -> FloatArray:
    """Fractional index of positions among ascending knots, extrapolated linearly at both ends."""
    positions = np.asarray(positions_mm, dtype=np.float64)
    index = np.interp(positions, knots_mm, np.arange(len(knots_mm)))
    if len(knots_mm) < 2:
        return np.asarray(index + positions - knots_mm[0])
    low, high = knots_mm[1] - knots_mm[0], knots_mm[-1] - knots_mm[-2]
    index = np.where(positions < knots_mm[0], (positions - knots_mm[0]) / low, index)
    beyond = len(knots_mm) - 1 + (positions - knots_mm[-1]) / high
    return np.asarray(np.where(positions > knots_mm[-1], beyond, index))
