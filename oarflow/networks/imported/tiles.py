"""The tiles of nnU-Net, or of MONAI's sliding window.

nnU-Net spreads them evenly, weights them by a Gaussian and sums in half precision. MONAI places
them at equal distances from the first voxel and sums in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.masks import common_part
from oarflow.networks.imported.card import ImportedCard, SlidingWindow
from oarflow.networks.imported.resampling import Shape
from oarflow.types import Box

SIGMA_SHARE = 1 / 8
"""Standard deviation of a tile's weights as a share of its extent."""

LEAST_SHARE = 0.25
"""Least share of a voxel's weights for which a tile is run."""

PEAK = 10.0
"""Weight in the middle of nnU-Net's tiles."""

LEAST_WINDOW_WEIGHT = 1e-3
"""Least weight of a voxel in MONAI's tiles, where the middle has 1."""

Run = Callable[[torch.Tensor], torch.Tensor]
"""A network: (1, heads, z, y, x) logits of an input (1, 1, z, y, x)."""


@dataclass(frozen=True)
class TilePlan:
    """The tiles that a network runs, along the network's axes.

    span: first and past-the-last voxel along each axis of the part that the tiles read. It may
    begin before 0 and end beyond the grid, where the input is 0. tiles, keep: within the span; the
    logits of `keep` are the result.
    """

    span: tuple[tuple[int, int], ...]
    tiles: tuple[Box, ...]
    keep: Box


def plan_tiles(shape: Shape, card: ImportedCard, wanted: Box | None = None) -> TilePlan:
    """The tiles of a grid, which is extended by zeros to hold at least one.

    shape: of the network's whole grid. wanted: the part that is needed; None: everything. Only
    tiles with a share of at least `LEAST_SHARE` in some wanted voxel run, at the same places, so
    that logits hardly depend on what is wanted.
    """
    spans, firsts, keeps = [], [], []
    for axis, (size, edge) in enumerate(zip(shape, card.patch, strict=True)):
        before = max(0, edge - size) // 2
        part = slice(0, size) if wanted is None else wanted[axis]
        starts = _firsts(max(size, edge), edge, card)
        if wanted is not None:
            needed = slice(part.start + before, part.stop + before)
            starts = _that_matter(starts, edge, needed, card)
        low, high = starts[0], starts[-1] + edge
        spans.append((low - before, high - before))
        firsts.append([start - low for start in starts])
        keeps.append(slice(part.start + before - low, part.stop + before - low))
    tiles = [
        (slice(z, z + card.patch[0]), slice(y, y + card.patch[1]), slice(x, x + card.patch[2]))
        for z, y, x in product(*firsts)
    ]
    return TilePlan(tuple(spans), tuple(tiles), (keeps[0], keeps[1], keeps[2]))


def spanned(data: NDArray[np.float32], plan: TilePlan) -> NDArray[np.float32]:
    """The whole input (z, y, x) with the zeros around it that a plan of all tiles reads."""
    ends = zip(plan.span, data.shape, strict=True)
    return np.pad(data, [(-low, high - size) for (low, high), size in ends])


def _firsts(size: int, edge: int, card: ImportedCard) -> list[int]:
    if edge == 1:  # a slice of a 2-D network
        return list(range(size))
    if card.sliding_window is not None:
        interval = max(1, int(edge * card.step))
        return [*range(0, size - edge, interval), size - edge]
    count = int(np.ceil((size - edge) / (edge * card.step))) + 1
    if count < 2:
        return [0]
    return [int(np.round((size - edge) / (count - 1) * number)) for number in range(count)]


def _that_matter(starts: list[int], edge: int, needed: slice, card: ImportedCard) -> list[int]:
    """The starts of tiles with a noticeable share of the weights somewhere in a range."""
    if card.sliding_window is not None and card.sliding_window.weights == "constant":
        return [start for start in starts if start < needed.stop and start + edge > needed.start]
    voxels = np.arange(needed.start, needed.stop)
    away = np.abs(voxels - np.array(starts)[:, None] - edge // 2) / (edge * SIGMA_SHARE)
    inside = (voxels >= np.array(starts)[:, None]) & (voxels < np.array(starts)[:, None] + edge)
    shares = np.exp(-(away**2) / 2) * inside
    shares /= shares.sum(axis=0)
    used = np.flatnonzero(shares.max(axis=1) >= LEAST_SHARE)
    return starts[used[0] : used[-1] + 1]


def weights(card: ImportedCard) -> NDArray[np.floating[Any]]:
    """Weights of a tile's voxels, in the precision in which logits are summed."""
    if card.sliding_window is not None:
        return _window_weights(card.patch, card.sliding_window)
    return _nnunet_weights(card.patch)


def _window_weights(patch: Shape, window: SlidingWindow) -> NDArray[np.float32]:
    """MONAI's weights; none is below `LEAST_WINDOW_WEIGHT` or the smallest one."""
    if window.weights == "constant":
        return np.ones(patch, dtype=np.float32)
    z, y, x = (
        np.exp(-((np.arange(edge) - (edge - 1) / 2) ** 2) / (2 * (edge * SIGMA_SHARE) ** 2))
        for edge in patch
    )
    found = (z[:, None, None] * y[:, None] * x).astype(np.float32)
    least = np.float32(max(float(found.min()), LEAST_WINDOW_WEIGHT))
    weight: NDArray[np.float32] = np.maximum(found, least)
    return weight


def _nnunet_weights(patch: Shape) -> NDArray[np.float16]:
    """nnU-Net's weights; those that round to zero have the smallest other weight."""
    peak = np.zeros(patch)
    peak[tuple(edge // 2 for edge in patch)] = 1
    sigmas = [edge * SIGMA_SHARE if edge > 1 else 0.0 for edge in patch]
    spread = ndimage.gaussian_filter(peak, sigmas, mode="constant")
    half: NDArray[np.float16] = (spread / (spread.max() / PEAK)).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    return half


def mirrorings(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every combination of at least one of the axes of an array (z, y, x)."""
    return [some for count in range(len(axes)) for some in combinations(axes, count + 1)]


def tiled_logits(
    run: Run,
    data: NDArray[np.float32],
    plan: TilePlan,
    card: ImportedCard,
    *,
    mirror_axes: tuple[int, ...] = (),
    before_each: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """(heads, z, y, x) logits of the plan's part to keep: half precision for nnU-Net's tiles.

    data: the input (z, y, x) of the plan's span. mirror_axes: of (z, y, x), along which tiles are
    mirrored. before_each: called before every tile; an exception from it ends the run.
    """
    image = torch.from_numpy(data)
    weight = torch.from_numpy(weights(card))
    shape = [side.stop - side.start for side in plan.keep]
    total = torch.zeros((card.heads, *shape), dtype=weight.dtype)
    covered = torch.zeros(shape, dtype=weight.dtype)
    for tile in plan.tiles:
        before_each()
        found = _mirrored(run, image[tile][None, None].contiguous(), mirror_axes)
        overlap = common_part(tile, plan.keep)
        if overlap is None:
            continue
        mine, kept = overlap
        total[(slice(None), *kept)] += found[0][(slice(None), *mine)] * weight[mine]
        covered[kept] += weight[mine]
    total /= covered
    return total


def _mirrored(run: Run, tile: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    found = run(tile)
    flips = list(_flips(axes))
    for flip in flips:
        found += torch.flip(run(torch.flip(tile, flip)), flip)
    if flips:
        found /= len(flips) + 1
    return found


def _flips(axes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for some in mirrorings(axes):
        yield tuple(axis + 2 for axis in some)
