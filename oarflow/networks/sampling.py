"""Resampling of a CT to a network's grid, and of a network's map to the CT.

Both grids are aligned with the volume's own axes, so every resampling is three matrix products, one
per axis. A matrix combines low-pass filter and linear interpolation, allows for uneven slice
positions, and gives positions outside the volume the fill value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import extrapolated
from oarflow.types import FloatArray

AIR_HU = -1024.0
"""HU of a network's input outside the volume."""

QUADRATURE_POINTS = 15
QUADRATURE_SIGMAS = 2.5
"""Number of points of the Gaussian low-pass filter, and its extent in standard deviations."""

Weights = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """A network's voxel centres in mm along (z, y, x) from the CT's voxel (0, 0, 0)."""

    z_mm: FloatArray
    y_mm: FloatArray
    x_mm: FloatArray

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.z_mm), len(self.y_mm), len(self.x_mm)

    @property
    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.z_mm, self.y_mm, self.x_mm


def centred_axis(centre_mm: float, count: int, spacing_mm: float) -> FloatArray:
    """(count,) evenly spaced positions in mm around the centre."""
    return np.asarray(centre_mm + (np.arange(count) - (count - 1) / 2) * spacing_mm)


def low_pass_sigma(target_sigma_mm: float, spacing_mm: float) -> float:
    """Standard deviation in mm of the Gaussian that makes a CT as smooth as the training images.

    target_sigma_mm describes the training images as they reach the network. A voxel of width d and
    the interpolation between voxels already blur by a variance of d^2 / 4, so that a CT as coarse
    as the training images is not blurred again.
    """
    return float(np.sqrt(max(0.0, target_sigma_mm**2 - spacing_mm**2 / 4)))


def read_weights(source_mm: FloatArray, targets_mm: FloatArray, sigma_mm: float) -> Weights:
    """(targets, sources) weights of one axis; rows sum to the share that lies inside the volume."""
    if sigma_mm > 0:
        steps = np.linspace(-QUADRATURE_SIGMAS, QUADRATURE_SIGMAS, QUADRATURE_POINTS)
        shares = np.exp(-(steps**2) / 2)
    else:
        steps, shares = np.zeros(1), np.ones(1)
    shares = shares / shares.sum()
    n = len(source_mm)
    weights = np.zeros((len(targets_mm), n))
    rows = np.arange(len(targets_mm))
    for step, share in zip(steps, shares, strict=True):
        index = extrapolated(targets_mm + step * sigma_mm, source_mm)
        inside = (index > -0.5) & (index < n - 0.5)
        index = np.clip(index, 0, n - 1)
        low = np.minimum(index.astype(int), max(n - 2, 0))
        part = index - low
        np.add.at(weights, (rows, low), share * (1 - part) * inside)
        np.add.at(weights, (rows, np.minimum(low + 1, n - 1)), share * part * inside)
    return weights.astype(np.float32)


def read(
    image: NDArray[np.float32],
    weights: tuple[Weights, Weights, Weights],
    outside: float = AIR_HU,
) -> NDArray[np.float32]:
    """float32 (z, y, x) values on a network's grid, from an image (z, y, x) and each axis' weights.

    outside: the value outside the image.
    """
    ranges = [_used(matrix) for matrix in weights]
    used = [matrix[:, columns] for matrix, columns in zip(weights, ranges, strict=True)]
    z, y, x = (matrix.sum(axis=1) for matrix in used)
    inside: Weights = z[:, None, None] * y[:, None] * x
    values = _product(image[ranges[0], ranges[1], ranges[2]], used)
    return values + np.float32(outside) * (1 - inside)


def paste_weights(network_mm: FloatArray, targets_mm: FloatArray) -> Weights:
    """(targets, network) linear weights of one axis from the network; zero outside its grid."""
    return read_weights(network_mm, targets_mm, 0.0)


def paste(
    values: NDArray[np.float32], weights: tuple[Weights | None, Weights | None, Weights | None]
) -> NDArray[np.float32]:
    """float32 (z, y, x) of a network's map at CT voxels; None keeps an axis unchanged."""
    return _product(values, list(weights))


def _used(matrix: Weights) -> slice:
    columns = np.flatnonzero(matrix.any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 1)


def _product(values: NDArray[np.float32], weights: Sequence[Weights | None]) -> NDArray[np.float32]:
    """Apply one matrix per axis, first the one that reduces the size most."""
    order = sorted(
        (axis for axis in range(3) if weights[axis] is not None),
        key=lambda axis: weights[axis].shape[0] / weights[axis].shape[1],  # type: ignore[union-attr]
    )
    for axis in order:
        matrix = weights[axis]
        assert matrix is not None
        values = _along(values, matrix, axis)
    return np.ascontiguousarray(values, dtype=np.float32)


def _along(values: NDArray[np.float32], matrix: Weights, axis: int) -> NDArray[np.float32]:
    """One matrix along one axis. No axis is moved: that would copy the whole volume."""
    if axis == 2:
        return np.asarray(values @ matrix.T)
    if axis == 1:
        return np.asarray(matrix @ values)
    z, y, x = values.shape
    return np.asarray((matrix @ values.reshape(z, y * x)).reshape(len(matrix), y, x))
