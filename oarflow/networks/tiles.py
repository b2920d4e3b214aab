"""Runs a 3-D network on a large volume in overlapping, blended tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.backend import TorchScriptNetwork

OVERLAP = 0.5
"""Overlap of neighbouring tiles as a share of their extent."""

LEAST_WEIGHT = 0.05
"""Weight of a tile's outermost voxels; its middle has weight 1."""


def tiled(
    network: TorchScriptNetwork,
    batch: NDArray[np.float32],
    tile: tuple[int, int, int],
    before_each: Callable[[], None] = lambda: None,
) -> NDArray[np.float32]:
    """(organs, z, y, x) probabilities for an input (1, channels, z, y, x).

    tile: voxels (z, y, x) that the network reads at once; their weights decrease to the edges.
    """
    shape = batch.shape[2:]
    size = tuple(min(extent, edge) for extent, edge in zip(shape, tile, strict=True))
    weight = _weight(size)
    total = np.zeros(shape, dtype=np.float32)
    values: NDArray[np.float32] | None = None
    for box in _boxes(shape, size):
        found = network.probabilities(batch[(slice(None), slice(None), *box)], before_each)[0]
        if values is None:
            values = np.zeros((len(found), *shape), dtype=np.float32)
        values[(slice(None), *box)] += found * weight
        total[box] += weight
    assert values is not None
    values /= total
    return values


def _boxes(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    starts = []
    for extent, edge in zip(shape, size, strict=True):
        count = 1 + int(np.ceil((extent - edge) / (edge * (1 - OVERLAP))))
        starts.append(np.unique(np.linspace(0, extent - edge, count).round().astype(int)))
    for corner in product(*starts):
        yield tuple(slice(int(a), int(a) + n) for a, n in zip(corner, size, strict=True))


def _weight(size: tuple[int, ...]) -> NDArray[np.float32]:
    axes = []
    for edge in size:
        away = np.abs(np.linspace(-1, 1, edge)) if edge > 1 else np.zeros(1)
        axes.append(np.maximum(1 - away, LEAST_WEIGHT))
    z, y, x = axes
    return (z[:, None, None] * y[:, None] * x).astype(np.float32)
