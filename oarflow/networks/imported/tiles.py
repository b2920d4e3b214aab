"""nnU-Net's tiles: evenly spread, weighted by a Gaussian, summed in half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.resampling import Shape
from oarflow.types import Box

SIGMA_SHARE = 1 / 8
"""Standard deviation of a tile's weights as a share of its extent."""

PEAK = 10.0
"""Weight in the middle of a tile."""

Run = Callable[[torch.Tensor], torch.Tensor]
"""A network: (1, heads, z, y, x) logits of an input (1, 1, z, y, x)."""


def tile_boxes(shape: Shape, patch: Shape, step: float) -> list[Box]:
    """As few tiles as the step allows, evenly spread over an array that holds at least one."""
    firsts = [_firsts(size, edge, step) for size, edge in zip(shape, patch, strict=True)]
    boxes = []
    for z, y, x in product(*firsts):
        boxes.append((slice(z, z + patch[0]), slice(y, y + patch[1]), slice(x, x + patch[2])))
    return boxes


def _firsts(size: int, edge: int, step: float) -> list[int]:
    if edge == 1:  # a slice of a 2-D network
        return list(range(size))
    count = int(np.ceil((size - edge) / (edge * step))) + 1
    if count < 2:
        return [0]
    return [int(np.round((size - edge) / (count - 1) * number)) for number in range(count)]


def weights(patch: Shape) -> NDArray[np.float16]:
    """Weights of a tile's voxels; those that round to zero have the smallest other weight."""
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


def padding(shape: Shape, patch: Shape) -> tuple[Shape, list[tuple[int, int]]]:
    """The shape with at least one tile's extent, and the zeros before and after along each axis."""
    missing = [max(0, edge - size) for size, edge in zip(shape, patch, strict=True)]
    before_after = [(gap // 2, gap - gap // 2) for gap in missing]
    z, y, x = (size + gap for size, gap in zip(shape, missing, strict=True))
    return (z, y, x), before_after


def tiled_logits(
    run: Run,
    data: NDArray[np.float32],
    card: ImportedCard,
    mirror_axes: tuple[int, ...] = (),
    before_each: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """float16 (heads, z, y, x) logits of an input (z, y, x).

    mirror_axes: of (z, y, x), along which tiles are mirrored. before_each: called before every
    tile; an exception from it ends the run.
    """
    shape: Shape = (data.shape[0], data.shape[1], data.shape[2])
    full, zeros = padding(shape, card.patch)
    image = torch.from_numpy(np.pad(data, zeros))
    share = torch.from_numpy(weights(card.patch))
    total = torch.zeros((card.heads, *full), dtype=torch.half)
    covered = torch.zeros(full, dtype=torch.half)
    for box in tile_boxes(full, card.patch, card.step):
        before_each()
        found = _mirrored(run, image[box][None, None].contiguous(), mirror_axes)
        total[(slice(None), *box)] += found[0] * share
        covered[box] += share
    total /= covered
    inside = tuple(slice(gap[0], gap[0] + size) for gap, size in zip(zeros, shape, strict=True))
    return total[(slice(None), *inside)]


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
