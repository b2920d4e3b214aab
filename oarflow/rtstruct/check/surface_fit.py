"""Position of contours in the probability field from which they were made.

On a correct contour the field equals its threshold. A fit over the deviations of all points shows a
systematic shift and growth far below a pixel. Filled voxels cannot show it: few voxels change if a
contour moves by half a pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_PIXELS = 1.0
"""Half-width in pixels of the gradient's difference, so that it is not zero in a binary mask."""


class SurfaceFit:
    """Least-squares fit of value - threshold = gradient . shift - |gradient| * growth."""

    def __init__(self) -> None:
        self._normal = np.zeros((3, 3))
        self._right = np.zeros(3)

    def add(
        self,
        points: NDArray[np.float64],
        values: NDArray[np.float32],
        threshold: float,
        spacing_yx: NDArray[np.float64],
    ) -> None:
        """Add one ring. points: (n, 2) fractional (y, x) among values (y, x), zero outside."""
        deviation = bilinear(values, points) - threshold
        slope = np.stack(
            [
                (bilinear(values, points + step) - bilinear(values, points - step))
                / (2 * REACH_PIXELS * spacing_yx[axis])
                for axis, step in enumerate(np.eye(2) * REACH_PIXELS)
            ],
            axis=-1,
        )
        terms = np.concatenate((slope, -np.linalg.norm(slope, axis=1, keepdims=True)), axis=1)
        self._normal += terms.T @ terms
        self._right += terms.T @ deviation

    def solution_mm(self) -> tuple[float, float]:
        """Length of the shift and the growth (negative: too small), in mm; 0 where undetermined."""
        shift_y, shift_x, growth = np.linalg.lstsq(self._normal, self._right, rcond=1e-6)[0]
        return float(np.hypot(shift_y, shift_x)), float(growth)


def bilinear(values: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) values (y, x) at (n, 2) fractional (y, x), zero outside."""
    padded = np.pad(values, 1).astype(np.float64)
    limit = np.array(padded.shape) - 1
    at = np.clip(points + 1, 0, limit)
    low = np.minimum(np.floor(at).astype(np.intp), limit - 1)
    y, x = (at - low).T
    j, i = low.T
    return np.asarray(
        padded[j, i] * (1 - y) * (1 - x)
        + padded[j, i + 1] * (1 - y) * x
        + padded[j + 1, i] * y * (1 - x)
        + padded[j + 1, i + 1] * y * x
    )
