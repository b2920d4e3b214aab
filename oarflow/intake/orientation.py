"""Maps a file's rows and columns to the axes of the volume in patient space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oarflow.types import FloatArray

_NEAR_AXIAL_COSINE = float(np.cos(np.radians(45.0)))

_DOWN_LPS = {
    "HFS": (0, 1, 0),
    "FFS": (0, 1, 0),
    "HFP": (0, -1, 0),
    "FFP": (0, -1, 0),
    "HFDR": (-1, 0, 0),
    "FFDR": (-1, 0, 0),
    "HFDL": (1, 0, 0),
    "FFDL": (1, 0, 0),
}
"""Patient direction (LPS) of growing row index (toward the couch), by Patient Position."""

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Layout:
    """The map from a file's rows and columns to the volume's.

    reverse_rows, reverse_columns: reversals in the file's own order; transpose: applied after them.
    across, down: the file's directions of growing column and row index, unit vectors (3,) LPS.
    near_axial: whether the slices' normal is within 45 degrees of the patient's long axis.
    """

    across: FloatArray
    down: FloatArray
    near_axial: bool
    transpose: bool = False
    reverse_rows: bool = False
    reverse_columns: bool = False

    @property
    def x_direction(self) -> FloatArray:
        return self._down if self.transpose else self._across

    @property
    def y_direction(self) -> FloatArray:
        return self._across if self.transpose else self._down

    @property
    def _across(self) -> FloatArray:
        return -self.across + 0.0 if self.reverse_columns else self.across

    @property
    def _down(self) -> FloatArray:
        return -self.down + 0.0 if self.reverse_rows else self.down

    @property
    def oblique_degrees(self) -> float:
        """Greatest angle between the volume's axes and the patient's."""
        frame = (self.x_direction, self.y_direction, np.cross(self.x_direction, self.y_direction))
        cosines = [float(np.clip(axis[i], -1.0, 1.0)) for i, axis in enumerate(frame)]
        return float(np.degrees(np.arccos(min(cosines))))

    def arranged(self, pixels: NDArray[_T]) -> NDArray[_T]:
        """A file's pixels (rows, columns) as a view in the volume's order (y, x)."""
        turned = pixels[:: -1 if self.reverse_rows else 1, :: -1 if self.reverse_columns else 1]
        return turned.T if self.transpose else turned

    def pair(self, rows_columns: tuple[_P, _P]) -> tuple[_P, _P]:
        """A pair of values for the file's rows and columns, in the volume's order (y, x)."""
        return (rows_columns[1], rows_columns[0]) if self.transpose else rows_columns

    def first_voxel(
        self, position_lps: FloatArray, shape: tuple[int, int], spacing_mm: tuple[float, float]
    ) -> FloatArray:
        """Centre (..., 3) of the volume's first voxel of a slice, from that of the file's.

        shape, spacing_mm: (rows, columns) of the file and the distances between them.
        """
        rows, columns = (count - 1 for count in shape)
        moved = position_lps
        if self.reverse_rows:
            moved = moved + rows * spacing_mm[0] * self.down
        if self.reverse_columns:
            moved = moved + columns * spacing_mm[1] * self.across
        return moved


_P = TypeVar("_P")


def layout_of(across: FloatArray, down: FloatArray) -> Layout:
    """Layout of slices by the directions of growing column and row index.

    Near-axial slices are arranged with x to the patient's left, y to the back and their normal to
    the head. Other slices keep their own order.
    """
    normal = np.cross(across, down)
    if abs(float(normal[2])) < _NEAR_AXIAL_COSINE:
        return Layout(across, down, near_axial=False)
    transpose = abs(float(across[0])) < abs(float(across[1]))
    x_of_across, x_of_down = (1, 0) if transpose else (0, 1)
    return Layout(
        across,
        down,
        near_axial=True,
        transpose=transpose,
        reverse_columns=bool(across[x_of_across] < 0),
        reverse_rows=bool(down[x_of_down] < 0),
    )


def contradicts(patient_position: str, across: FloatArray, down: FloatArray) -> bool:
    """Whether Patient Position contradicts the orientation of an axial slice.

    In a CT image the couch is at the bottom: rows grow to the back of a supine patient, to the
    front of a prone one, and to the lower side of a decubitus patient. The left-right order of
    columns is a matter of display (feet first is often shown as head first). Unknown or missing
    positions and slices that are not axial are never contradictions.
    """
    if not layout_of(across, down).near_axial or patient_position not in _DOWN_LPS:
        return False
    return float(np.dot(down, _DOWN_LPS[patient_position])) < _NEAR_AXIAL_COSINE
