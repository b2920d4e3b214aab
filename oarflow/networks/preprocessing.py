"""From a CT to a network's input: the one preprocessing path, for training and serving alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import FloatArray
from oarflow.networks.card import ModelCard, Window
from oarflow.networks.sampling import NetworkGrid, Weights, low_pass_sigma, read, read_weights


def scaled(values: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """Values cut to the window and mapped to -1..1."""
    low, high = window
    return ((np.clip(values, low, high) - low) * np.float32(2 / (high - low)) - 1).astype(
        np.float32
    )


def axis_weights(
    card: ModelCard, axis: int, source_mm: FloatArray, targets_mm: FloatArray
) -> Weights:
    """Reading weights of one axis at the card's smoothness. source_mm: the CT's voxel centres."""
    step = float(np.median(np.diff(source_mm))) if len(source_mm) > 1 else 1.0
    return read_weights(source_mm, targets_mm, low_pass_sigma(card.smoothness_mm[axis], step))


def image_batch(
    hu: NDArray[np.float32],
    axes_mm: tuple[FloatArray, FloatArray, FloatArray],
    card: ModelCard,
    grid: NetworkGrid,
) -> NDArray[np.float32]:
    """A network's input over a grid, from hu (z, y, x) whose voxel centres are axes_mm.

    2-D axial: (planes, channels, y, x), one sample for each z of the grid, its channels at the
    card's offsets. 3-D: (1, channels, z, y, x).
    Raises ValueError for a card whose channels are not all CT.
    """
    if any(channel.source != "ct" for channel in card.channels):
        raise ValueError(f"{card.name} needs channels other than CT")
    rows = axis_weights(card, 1, axes_mm[1], grid.y_mm)
    columns = axis_weights(card, 2, axes_mm[2], grid.x_mm)
    if card.dimensions == 3:
        block = read(hu, (axis_weights(card, 0, axes_mm[0], grid.z_mm), rows, columns))
        return np.stack([scaled(block, channel.window) for channel in card.channels])[None]
    offsets = np.asarray([channel.offset_mm for channel in card.channels])
    wanted = np.round(grid.z_mm[:, None] + offsets, 6)
    planes, place = np.unique(wanted, return_inverse=True)
    block = read(hu, (axis_weights(card, 0, axes_mm[0], planes), rows, columns))
    place = place.reshape(wanted.shape)
    return np.stack(
        [
            scaled(block[place[:, number]], channel.window)
            for number, channel in enumerate(card.channels)
        ],
        axis=1,
    )
