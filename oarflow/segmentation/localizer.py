"""The localizer: organs found in the whole volume at low resolution (C2F, coarse stage)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.faces import reached_faces
from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard, Role, View
from oarflow.networks.preprocessing import (
    PLANES,
    Images,
    axis_weights,
    image_batch,
    input_batch,
    scaled,
)
from oarflow.networks.sampling import NetworkGrid, centred_axis, read
from oarflow.networks.store import ModelStore
from oarflow.segmentation.body import body_parts
from oarflow.structures import Localization
from oarflow.types import triple
from oarflow.volume import Volume

PRESENT_LEVEL = 0.4
"""Probability from which a coarse voxel belongs to an organ."""

PRESENT_CC = 0.5
"""An organ with a smaller total volume in coarse voxels is absent."""

LESSER_PART = 0.3
"""Parts smaller than this share of the largest part are ignored as stray."""

TISSUE_HU = -200.0
"""Coarse voxels above this HU are tissue, or couch, mask and clips."""

SIZEABLE_VOXELS = 16.0
"""A part of an organ with this sum of probabilities over coarse voxels is not stray."""

INSIDE_SHARE = 0.2
"""Least share of a part within the body; a part with less is an object outside the patient."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)

SCORE_SHARE = 0.25
"""The score is the mean probability over this share of the organ's surest coarse voxels."""


def localize(volume: Volume, store: ModelStore) -> dict[str, Localization]:
    """A Localization for every organ of the localizer: one network, or fused views."""
    fusion = store.fusion
    network = store.localizer if fusion is None else fusion
    grid = coarse_grid(volume.grid, network.card)
    if fusion is None:
        maps, body = coarse_maps(volume, network, grid)
    else:
        maps, body = fused_maps(volume, fusion, store.views, grid)
    return {
        organ: _localization(organ, maps[number], body, grid, volume.grid)
        for number, organ in enumerate(network.card.organs)
    }


def coarse_grid(grid: Grid, card: ModelCard) -> NetworkGrid:
    """The localizer's grid over the whole volume, each axis a multiple of the card's voxels."""
    axes = []
    for axis in range(3):
        extent = grid.axis_mm(axis)
        middle = (float(extent[0]) + float(extent[-1])) / 2
        length = float(extent[-1]) - float(extent[0])
        count = int(np.ceil(length / card.spacing_mm[axis])) + 1
        if card.dimensions == 3 or card.role is Role.FUSION or axis > 0:
            count = -(-count // card.multiple) * card.multiple
        axes.append(centred_axis(middle, count, card.spacing_mm[axis]))
    return NetworkGrid(*axes)


def coarse_maps(
    volume: Volume, network: TorchScriptNetwork, grid: NetworkGrid
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(organs, z, y, x) probabilities on the coarse grid, and the `body_parts` (z, y, x)."""
    axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
    card = network.card
    batch = image_batch(volume.hu, axes, card, grid)
    maps = network.probabilities(batch)
    here = int(np.argmin([abs(channel.offset_mm) for channel in card.channels]))
    window = card.channels[here].window
    level = scaled(np.array([TISSUE_HU], dtype=np.float32), window)[0]
    body = body_parts((batch[:, here] if card.dimensions == 2 else batch[0, here]) > level)
    return (np.moveaxis(maps, 1, 0) if card.dimensions == 2 else maps[0]), body


def view_maps(
    volume: Volume, network: TorchScriptNetwork, grid: NetworkGrid
) -> NDArray[np.float32]:
    """(organs, z, y, x) probabilities of a 2-D network on all planes of its view over a grid."""
    axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
    assert network.card.view is not None
    maps = network.probabilities(input_batch(Images(volume.hu, axes), network.card, grid))
    return np.moveaxis(np.moveaxis(maps, 1, 0), 1, 1 + PLANES[network.card.view])


def fused_maps(
    volume: Volume,
    fusion: TorchScriptNetwork,
    views: Mapping[View, TorchScriptNetwork],
    grid: NetworkGrid,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(organs, z, y, x) probabilities of the fused views, and the `body_parts` (C2F, III.A)."""
    maps = {view: view_maps(volume, network, grid) for view, network in views.items()}
    channels = [
        maps[channel.view][views[channel.view].card.organs.index(channel.organ)]
        for channel in fusion.card.channels
        if channel.view is not None and channel.organ is not None
    ]
    body = body_parts(_read_hu(volume, fusion.card, grid) > TISSUE_HU)
    if fusion.card.dimensions == 3:
        return fusion.probabilities(np.stack(channels)[None])[0], body
    return np.moveaxis(fusion.probabilities(np.stack(channels, axis=1)), 1, 0), body


def _read_hu(volume: Volume, card: ModelCard, grid: NetworkGrid) -> NDArray[np.float32]:
    z, y, x = (
        axis_weights(card, axis, volume.grid.axis_mm(axis), grid.axes[axis]) for axis in range(3)
    )
    return read(volume.hu, (z, y, x))


def _localization(
    organ: str,
    probabilities: NDArray[np.float32],
    body: NDArray[np.uint8],
    coarse: NetworkGrid,
    grid: Grid,
) -> Localization:
    parts = _main_parts(probabilities, body)
    steps = [float(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for axis in coarse.axes]
    volume_cc = float(parts.sum()) * float(np.prod(steps)) / 1000
    if volume_cc < PRESENT_CC:
        return Localization(organ, False, float(probabilities.max()))
    weights = probabilities[parts]
    centre = np.average(np.argwhere(parts), axis=0, weights=weights)
    axes_mm = [
        float(np.interp(index, np.arange(len(axis)), axis))
        for index, axis in zip(centre, coarse.axes, strict=True)
    ]
    half = triple(step / 2 for step in steps)
    ends = list(zip(coarse.axes, bounding_box(parts), half, strict=True))
    low = triple(axis[side.start] - edge for axis, side, edge in ends)
    high = triple(axis[side.stop - 1] + edge for axis, side, edge in ends)
    surest = np.sort(weights)[-max(1, int(len(weights) * SCORE_SHARE)) :]
    return Localization(
        organ,
        present=True,
        score=float(surest.mean()),
        centroid_lps=triple(grid.axes_to_patient(axes_mm)),
        extent_mm=triple(np.subtract(high, low)),
        slices=_slices((low[0], high[0]), grid),
        cut=reached_faces(grid, low, high, half),
    )


def _main_parts(probabilities: NDArray[np.float32], body: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The organ's main parts. A sizeable part in the patient excludes all parts elsewhere."""
    labels, count = ndimage.label(probabilities >= PRESENT_LEVEL, _NEIGHBOURS)
    if count == 0:
        return np.zeros(probabilities.shape, dtype=bool)
    numbers = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(probabilities, labels, numbers)
    sizes[ndimage.mean(body > 0, labels, numbers) < INSIDE_SHARE] = 0
    elsewhere = ndimage.mean(body == 2, labels, numbers) < INSIDE_SHARE
    if (sizes[~elsewhere] >= SIZEABLE_VOXELS).any():
        sizes[elsewhere] = 0
    kept = numbers[(sizes > 0) & (sizes >= LESSER_PART * sizes.max())]
    return np.asarray(np.isin(labels, kept))


def _slices(ends_mm: tuple[float, float], grid: Grid) -> tuple[int, int]:
    inside = np.flatnonzero((grid.offsets_mm >= ends_mm[0]) & (grid.offsets_mm <= ends_mm[1]))
    if len(inside) == 0:
        nearest = int(np.abs(grid.offsets_mm - sum(ends_mm) / 2).argmin())
        return nearest, nearest
    return int(inside[0]), int(inside[-1])
