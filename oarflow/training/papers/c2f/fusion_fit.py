"""C2F's weighted supervised fusion is fitted: how much each view counts for each organ (III.A)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oarflow.networks.card import View
from oarflow.networks.store import ModelStore
from oarflow.training.data.cases import TrainingCase
from oarflow.training.papers.c2f.coarse_maps import coarse_maps, common_organs, ignored_on, label_on
from oarflow.training.papers.c2f.fusion_network import FUSION_STEPS, Fusion

LEAST_PROBABILITY = 1e-4
"""Probabilities are kept this far from 0 and 1, where their log odds have no end."""

DOUBTFUL = 0.02
"""Voxels that no view gives more than this, and no label, teach nothing."""

MOST_VOXELS = 5000
"""Voxels of a patient that are drawn within an organ, and as many outside it."""

RATE = 0.05
"""Learning rate of Adam."""


@dataclass(frozen=True, eq=False)
class VoxelSample:
    """Some doubtful voxels of a patient.

    maps: (voxels, views) probabilities. truth: (voxels,) 0 or 1. weight: (voxels,) how many voxels
    of the patient each stands for.
    """

    maps: Tensor
    truth: Tensor
    weight: Tensor


def fit_fusion(cases: Iterable[TrainingCase], store: ModelStore) -> Fusion:
    """Learn the weights on what the trained views say of training patients."""
    drawn = _voxel_samples(cases, store)
    fusion = Fusion(len(drawn), len(View))
    assert fusion.mix.bias is not None
    for number, samples in enumerate(drawn.values()):
        weight, bias = fit_weights(samples)
        with torch.no_grad():
            fusion.mix.weight[number, :, 0, 0] = weight
            fusion.mix.bias[number] = bias
    return fusion.eval()


def view_thresholds(
    cases: Iterable[TrainingCase], store: ModelStore
) -> dict[tuple[str, View], float]:
    """By organ and view, the probability at which that view's map alone puts the organ's surface.

    Learned as the fusion's weights are, from one view at a time; above 1 where a view's map tells
    nothing of the organ.
    """
    return {
        (organ, view): surface_probability(*fit_weights(samples, (channel,)))
        for organ, samples in _voxel_samples(cases, store).items()
        for channel, view in enumerate(View)
    }


def _voxel_samples(
    cases: Iterable[TrainingCase], store: ModelStore
) -> dict[str, list[VoxelSample]]:
    """By organ, in the store's order. Raises ValueError for one that no case has."""
    organs = common_organs(store)
    drawn: dict[str, list[VoxelSample]] = {organ: [] for organ in organs}
    for case in cases:
        grid, maps = coarse_maps(case, store, organs)
        known = ~ignored_on(case, grid)
        for number, organ in enumerate(organs):
            if organ in case.masks:
                drawn[organ].append(_voxel_sample(maps[number], label_on(case, organ, grid), known))
    missing = [organ for organ, samples in drawn.items() if not samples]
    if missing:
        raise ValueError(f"no training case has {', '.join(missing)}")
    return drawn


def _voxel_sample(
    maps: NDArray[np.float32], truth: NDArray[np.bool_], known: NDArray[np.bool_]
) -> VoxelSample:
    """known: voxels that were labelled, as an organ or as none."""
    flat = maps.reshape(len(maps), -1)
    inside = (truth & known).ravel()
    outside = (flat.max(axis=0) > DOUBTFUL) & known.ravel() & ~truth.ravel()
    random = np.random.default_rng(0)
    chosen, weights = [], []
    for candidates in (np.flatnonzero(inside), np.flatnonzero(outside)):
        picked = random.choice(candidates, min(MOST_VOXELS, len(candidates)), replace=False)
        chosen.append(picked)
        weights.append(
            np.full(len(picked), len(candidates) / max(1, len(picked)), dtype=np.float32)
        )
    voxels = np.concatenate(chosen)
    return VoxelSample(
        torch.from_numpy(flat[:, voxels].T.copy()),
        torch.from_numpy(inside[voxels].astype(np.float32)),
        torch.from_numpy(np.concatenate(weights)),
    )


def fit_weights(
    samples: Sequence[VoxelSample], views: Sequence[int] = range(len(View))
) -> tuple[Tensor, Tensor]:
    """Weights (views,) and bias of one organ: each voxel counts as often as there are such.

    The views' weighted cross-entropy makes them say an organ far beyond its surface; what is fused
    is a probability again.
    """
    maps = torch.cat([part.maps[:, list(views)] for part in samples]).clamp(
        LEAST_PROBABILITY, 1 - LEAST_PROBABILITY
    )
    truth = torch.cat([part.truth for part in samples])
    balance = torch.cat([part.weight for part in samples])
    balance = balance / balance.mean()
    odds = torch.log(maps) - torch.log1p(-maps)
    weight = torch.full((maps.shape[1],), 1 / maps.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    adam = torch.optim.Adam((weight, bias), lr=RATE)
    for _ in range(FUSION_STEPS):
        adam.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(odds @ weight + bias, truth, balance)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    return weight.detach(), bias.detach()


def surface_probability(weight: Tensor, bias: Tensor) -> float:
    """The probability at which one view's weighted log odds are zero; above 1 where none is."""
    if weight <= 0:
        return 2.0
    return float(torch.sigmoid(-bias / weight[0]))
