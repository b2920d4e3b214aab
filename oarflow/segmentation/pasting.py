"""A network's probabilities resampled to the CT's grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.networks.sampling import NetworkGrid, paste, paste_weights
from oarflow.structures import ProbabilityField
from oarflow.types import FloatArray

NEGLIGIBLE = 0.02
"""Margins with probabilities below this are cropped from a field."""

LESSER_COMPONENT = 0.2
"""Components smaller than this share of the largest one are removed as stray."""

STRAY_REACH = 2
"""Voxels so near a stray component, below the threshold, are removed with it."""


def paste_field(
    values: NDArray[np.float32],
    network: NetworkGrid,
    grid: Grid,
    slices: NDArray[np.intp] | None,
    threshold: float,
) -> ProbabilityField:
    """The field of values (z, y, x) on the CT grid, stray components removed, cropped.

    slices: the CT slices of the values' planes; None where the network has its own z positions.
    """
    y_box, y_weights = _axis(network.y_mm, grid.axis_mm(1))
    x_box, x_weights = _axis(network.x_mm, grid.axis_mm(2))
    if slices is None:
        z_box, z_weights = _axis(network.z_mm, grid.axis_mm(0))
        z_start = z_box.start
    else:
        z_start, z_weights = int(slices[0]), None
    pasted = paste(values, (z_weights, y_weights, x_weights))
    pasted = without_strays(pasted, threshold)
    return cropped(pasted, (z_start, y_box.start, x_box.start), threshold)


def _axis(network_mm: FloatArray, ct_mm: FloatArray) -> tuple[slice, NDArray[np.float32]]:
    inside = np.flatnonzero((ct_mm >= network_mm[0]) & (ct_mm <= network_mm[-1]))
    if len(inside) == 0:
        return slice(0, 1), np.zeros((1, len(network_mm)), dtype=np.float32)
    box = slice(int(inside[0]), int(inside[-1]) + 1)
    return box, paste_weights(network_mm, ct_mm[box])


def without_strays(
    values: NDArray[np.float32], threshold: float, share: float = LESSER_COMPONENT
) -> NDArray[np.float32]:
    """Values with every component below the share of the largest one set to zero.

    Voxels below the threshold belong to the component that they surround.
    """
    inside = values >= threshold
    if not inside.any():
        return values
    box = bounding_box(inside, (STRAY_REACH,) * 3)
    labels, count = ndimage.label(inside[box], np.ones((3, 3, 3)))
    if count < 2:
        return values
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    stray = np.flatnonzero((sizes < share * sizes.max()) & (sizes > 0))
    if len(stray) == 0:
        return values
    reach = ndimage.binary_dilation(np.isin(labels, stray), iterations=STRAY_REACH)
    kept = (labels > 0) & ~np.isin(labels, stray)
    cleaned = values.copy()
    cleaned[box][reach & ~ndimage.binary_dilation(kept)] = 0
    return cleaned


def cropped(
    values: NDArray[np.float32], offset: tuple[int, int, int], threshold: float
) -> ProbabilityField:
    """A field without its empty margin; one voxel stays if all is empty."""
    likely = values > NEGLIGIBLE
    if not likely.any():
        return ProbabilityField(np.zeros((1, 1, 1), dtype=np.float32), offset, threshold)
    z, y, x = bounding_box(likely)
    start = (offset[0] + z.start, offset[1] + y.start, offset[2] + x.start)
    return ProbabilityField(np.ascontiguousarray(values[z, y, x]), start, threshold)
