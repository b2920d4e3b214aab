"""Fast inference: the network's logits in a box of the CT, without mirroring."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from oarflow.networks.imported.activation import activated
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.preprocessing import normalized
from oarflow.networks.imported.tiles import TilePlan, plan_tiles
from oarflow.networks.imported.voxel_map import VoxelMap
from oarflow.networks.sampling import Weights, paste
from oarflow.types import Box, FloatVoxels, Mask

ROOM = 2
"""Voxels of the network around an organ's own in which its surface lies."""


@dataclass(frozen=True, eq=False)
class BoxLogits:
    """Logits of a box of the network's voxels, by the CT's axes, or their probabilities.

    values: floating-point (heads, z, y, x), as `activated` gives them. box: of the network's voxels
    (`VoxelMap`).
    """

    values: torch.Tensor
    box: Box
    voxels: VoxelMap

    @cached_property
    def best(self) -> torch.Tensor:
        """(z, y, x): the greatest logit of all heads."""
        best = self.values[0].clone()
        for head in range(1, len(self.values)):
            torch.maximum(best, self.values[head], out=best)
        return best

    def around(self, marked: Mask) -> Box | None:
        """The CT's voxels around marked voxels (z, y, x) of the box; None if none is marked."""
        sides = []
        for axis, side in enumerate(self.box):
            others = tuple(other for other in range(3) if other != axis)
            used = np.flatnonzero(marked.any(axis=others))
            if not len(used):
                return None
            first = max(0, int(used[0]) - ROOM)
            sides.append(
                slice(side.start + first, min(side.stop, side.start + int(used[-1]) + 1 + ROOM))
            )
        z, y, x = sides
        ct = self.voxels.ct_box((z, y, x))
        return ct if all(side.stop > side.start for side in ct) else None

    def on_ct(self, head: int, ct: Box) -> FloatVoxels:
        """float32 logits of one head at voxels of the CT, interpolated at least linearly."""
        weights, (z, y, x) = self._interpolation(ct)
        return paste(self.values[head, z, y, x].float().numpy(), weights)

    def rivals(self, own: Collection[int], ct: Box) -> list[int]:
        """The heads that may have the greatest logit but `own` at some voxel of a box of the CT.

        A head that another exceeds at each of the network's voxels is below it between them, too:
        weights of linear interpolation are not negative.
        """
        others = [head for head in range(len(self.values)) if head not in own]
        weights, (z, y, x) = self._interpolation(ct)
        if any(bool((matrix < 0).any()) for matrix in weights):
            return others
        values = self.values[:, z, y, x]
        kept: list[int] = []
        for head in sorted(others, key=lambda head: -float(values[head].mean(dtype=torch.float32))):
            if not any(bool((values[head] <= values[rival]).all()) for rival in kept):
                kept.append(head)
        return kept

    def _interpolation(self, ct: Box) -> tuple[tuple[Weights, Weights, Weights], Box]:
        """(CT, network) weights of each axis for a box of the CT, and the voxels that they read."""
        weights, sides = [], []
        for matrix, rows, side in zip(self.voxels.back, ct, self.box, strict=True):
            used = np.flatnonzero(matrix[rows, side].any(axis=0))
            columns = slice(int(used[0]), int(used[-1]) + 1)
            sides.append(columns)
            weights.append(matrix[rows, side][:, columns])
        z, y, x = sides
        return (weights[0], weights[1], weights[2]), (z, y, x)


def box_logits(
    hu: FloatVoxels,
    network: ImportedNetwork,
    voxels: VoxelMap,
    box: Box,
    *,
    bfloat16: bool = False,
    before_each: Callable[[], None] = lambda: None,
) -> BoxLogits:
    """Logits of a box of the network's voxels.

    hu: (z, y, x) of the whole CT. before_each: called before every tile.
    """
    card, axes = network.card, voxels.axes
    wanted = [box[axis] for axis in axes.order]
    plan = plan_tiles(voxels.region.shape, card, (wanted[0], wanted[1], wanted[2]))
    data = plan_input(hu, card, voxels, plan)
    logits = network.logits(data, plan, mirroring=False, bfloat16=bfloat16, before_each=before_each)
    order = [0, *(1 + axis for axis in _inverse(axes.order))]
    values = activated(torch.from_numpy(logits), card)
    return BoxLogits(values.permute(order), box, voxels)


def plan_input(
    values: FloatVoxels, card: ImportedCard, voxels: VoxelMap, plan: TilePlan
) -> FloatVoxels:
    """float32 input of a plan's span along the network's axes; 0 beyond the grid."""
    read, zeros = [], []
    for (low, high), size in zip(plan.span, voxels.region.shape, strict=True):
        read.append(slice(max(0, low), min(size, high)))
        zeros.append((max(0, -low), max(0, high - size)))
    z, y, x = (read[place] for place in _inverse(voxels.axes.order))
    found = box_input(values, card, voxels, (z, y, x))
    return np.pad(found.transpose(voxels.axes.order), zeros)


def box_input(values: FloatVoxels, card: ImportedCard, voxels: VoxelMap, box: Box) -> FloatVoxels:
    """float32 input of a box of the network's voxels, by the CT's axes.

    Values are limited to the range of the whole CT, as in nnU-Net.
    """
    rule = card.normalization
    matrices, read = voxels.read_rows(box)
    if card.resampled != "normalized":
        hu = paste(values[read], matrices)
        return normalized(np.trunc(hu) if card.resampled == "whole hu" else hu, rule)
    if rule.scheme in ("ct", "linear", "none"):
        whole = values[voxels.inside]
        limits = normalized(np.array([whole.min(), whole.max()], dtype=np.float32), rule)
        part = normalized(values[read], rule)
    else:
        every = np.zeros_like(values)
        every[voxels.inside] = normalized(values[voxels.inside], rule)
        limits, part = np.array([every.min(), every.max()]), every[read]
    found = paste(part, matrices)
    return np.clip(found, limits[0], limits[1])


def _inverse(order: Sequence[int]) -> NDArray[np.intp]:
    return np.argsort(order)
