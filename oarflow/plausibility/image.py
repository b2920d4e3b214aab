"""The CT's look around an organ: metal, bright voxels, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid

AROUND_MM = 20.0
"""Distance (mm) around an organ's box within which the CT is measured."""

PIXEL_MM = 3.5
"""Finer pixels are averaged to about this size (mm), to be comparable with the training CTs."""

SLICE_MM = 2.5
"""Thinner slices are averaged to about this thickness (mm)."""

METAL_HU = 2200.0
"""HU above bone and contrast medium in voxels of that size: metal."""

BRIGHT_HU = 130.0
"""HU above soft tissue without contrast medium. Bone counts too; its share varies little."""

SOFT_HU = (-150.0, 150.0)
"""Noise is measured in voxels whose neighbours along a row have HU in this range."""


@dataclass(frozen=True)
class Look:
    """Shares of the voxels around an organ, 0 to 1. noise_hu: standard deviation in soft tissue."""

    metal: float
    bright: float
    noise_hu: float


def look(hu: NDArray[np.float32], grid: Grid, box: tuple[slice, slice, slice]) -> Look:
    """Measure the CT around a box (z, y, x) of voxels."""
    steps = grid.spacing_zyx
    wider = tuple(
        slice(max(0, part.start - round(AROUND_MM / step)), part.stop + round(AROUND_MM / step))
        for part, step in zip(box, steps, strict=True)
    )
    coarse = _averaged(hu[wider], steps)
    return Look(
        metal=float((coarse > METAL_HU).mean()),
        bright=float(((coarse > BRIGHT_HU) & (coarse <= METAL_HU)).mean()),
        noise_hu=_noise(coarse),
    )


def _averaged(hu: NDArray[np.float32], steps: tuple[float, float, float]) -> NDArray[np.float32]:
    """Means over blocks of whole voxels; incomplete blocks are left out."""
    counts = [
        max(1, min(int(wanted / step + 0.25), size))
        for wanted, step, size in zip((SLICE_MM, PIXEL_MM, PIXEL_MM), steps, hu.shape, strict=True)
    ]
    for axis, count in enumerate(counts):
        if count > 1:
            whole = hu.shape[axis] // count
            kept = hu[tuple(slice(whole * count) if a == axis else slice(None) for a in range(3))]
            hu = kept.reshape(*hu.shape[:axis], whole, count, *hu.shape[axis + 1 :])
            hu = hu.mean(axis=axis + 1)
    return hu


def _noise(hu: NDArray[np.float32]) -> float:
    """Robust standard deviation of each voxel's difference from the mean of its row neighbours."""
    if hu.shape[2] < 3:
        return 0.0
    left, here, right = hu[:, :, :-2], hu[:, :, 1:-1], hu[:, :, 2:]
    low, high = SOFT_HU
    soft = (left > low) & (left < high) & (right > low) & (right < high)
    soft &= (here > low) & (here < high)
    if not soft.any():
        return 0.0
    rest = here[soft] - (left[soft] + right[soft]) / 2
    return float(1.4826 * np.median(np.abs(rest)) / np.sqrt(1.5))
