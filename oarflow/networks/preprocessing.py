"""From a CT to a network's input: the preprocessing of training and application."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.card import ModelCard, View, Window
from oarflow.networks.sampling import (
    AIR_HU,
    NetworkGrid,
    Weights,
    low_pass_sigma,
    read,
    read_weights,
)
from oarflow.types import FloatArray


def scaled(values: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """Values clipped to the window and mapped to -1..1."""
    low, high = window
    return ((np.clip(values, low, high) - low) * np.float32(2 / (high - low)) - 1).astype(
        np.float32
    )


def axis_weights(
    card: ModelCard, axis: int, source_mm: FloatArray, targets_mm: FloatArray
) -> Weights:
    """Weights of one axis at the card's smoothness. source_mm: the CT's voxel centres."""
    step = float(np.median(np.diff(source_mm))) if len(source_mm) > 1 else 1.0
    return read_weights(source_mm, targets_mm, low_pass_sigma(card.smoothness_mm[axis], step))


PLANES = {View.AXIAL: 0, View.CORONAL: 1, View.SAGITTAL: 2}
"""The axis (z, y, x) across a view's planes."""

DARKEST = 0.0
"""The value of a scaled MR outside the MR."""


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a study that networks read.

    hu: float32 (z, y, x). axes_mm: its voxel centres along z, y, x. mr: float32 on the same voxels,
    scaled to 0..1000, 0 outside the MR; None without an MR.
    """

    hu: NDArray[np.float32]
    axes_mm: tuple[FloatArray, FloatArray, FloatArray]
    mr: NDArray[np.float32] | None = None


def image_batch(
    hu: NDArray[np.float32],
    axes_mm: tuple[FloatArray, FloatArray, FloatArray],
    card: ModelCard,
    grid: NetworkGrid,
) -> NDArray[np.float32]:
    """`input_batch` of a network that reads only the CT."""
    return input_batch(Images(hu, axes_mm), card, grid)


def input_batch(
    images: Images, card: ModelCard, grid: NetworkGrid, side: float = 0.0
) -> NDArray[np.float32]:
    """A network's input over a grid.

    2-D: (planes, channels, ...), one sample for each plane of the grid across the card's view, its
    channels at the card's offsets; the other two axes keep their order.
    3-D: (1, channels, z, y, x).
    side: 1 left or -1 right, for a side channel.
    Raises ValueError where the card needs an MR that is not there, or another network's maps.
    """
    across = None if card.view is None else PLANES[card.view]
    blocks: dict[str, NDArray[np.float32]] = {}
    place = np.empty(0, dtype=np.intp)
    axes = list(grid.axes)
    if across is not None:
        offsets = np.asarray([channel.offset_mm for channel in card.channels])
        wanted = np.round(axes[across][:, None] + offsets, 6)
        axes[across], place = np.unique(wanted, return_inverse=True)
        place = place.reshape(wanted.shape)
    for source in dict.fromkeys(channel.source for channel in card.channels):
        blocks[source] = _block(source, images, card, axes)
    made = []
    for number, channel in enumerate(card.channels):
        block = blocks[channel.source]
        constant = channel.source == "side"
        values = np.full_like(block, side) if constant else scaled(block, channel.window)
        if across is not None:
            values = np.take(values, place[:, number], axis=across)
            values = np.moveaxis(values, across, 0)
        made.append(values)
    return np.stack(made, axis=1) if across is not None else np.stack(made)[None]


def _block(
    source: str, images: Images, card: ModelCard, targets_mm: list[FloatArray]
) -> NDArray[np.float32]:
    """(z, y, x) values of one channel on the targets; a constant channel has the CT's shape."""
    if source == "view":
        raise ValueError(f"{card.name} reads other networks' maps, not images")
    if source == "mr" and images.mr is None and card.needs_mr:
        raise ValueError(f"{card.name} needs an MR")
    image = images.mr if source == "mr" else images.hu
    if source == "side" or image is None:
        shape = [len(axis) for axis in targets_mm]
        return np.full(shape, DARKEST, dtype=np.float32)
    z, y, x = (
        axis_weights(card, axis, images.axes_mm[axis], targets_mm[axis]) for axis in range(3)
    )
    return read(image, (z, y, x), DARKEST if source == "mr" else AIR_HU)
