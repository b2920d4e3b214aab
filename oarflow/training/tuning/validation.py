"""How a network does on the tuning patients while it trains: pooled Dice and IoU of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from oarflow.training.data.batches import SampleBatch, Sampler
from oarflow.training.optimization.losses import organ_probabilities

SAMPLES = 256
"""So many samples are validated on, the same ones each time."""


@dataclass(frozen=True)
class PooledOverlap:
    """Means over the organs that were labelled somewhere; each organ's voxels are pooled first."""

    dice: float
    iou: float


class Validator:
    """A fixed set of samples, drawn once."""

    def __init__(self, sampler: Sampler, seed: int) -> None:
        self._batches: list[SampleBatch] = []
        drawn = 0
        while drawn < SAMPLES:
            random = np.random.default_rng((seed, len(self._batches), 1))
            self._batches.append(sampler.draw(random))
            drawn += len(self._batches[-1].inputs)

    def measure(self, network: nn.Module, device: torch.device) -> PooledOverlap:
        """Dice and IoU of the network, which is left in evaluation mode."""
        network.eval()
        counts: Tensor | None = None
        for batch in self._batches:
            with torch.inference_mode():
                logits = network(batch.inputs.to(device)).float().cpu()
            some = overlap_counts(logits, batch)
            counts = some if counts is None else counts + some
        assert counts is not None
        both, found, true = counts[:, counts[2] > 0]
        return PooledOverlap(
            float((2 * both / (found + true)).mean()), float((both / (found + true - both)).mean())
        )


def overlap_counts(logits: Tensor, batch: SampleBatch) -> Tensor:
    """(3, organs) voxels: in both, found, true; of labelled samples only."""
    sides = logits.ndim - batch.known.ndim
    weight = batch.known.reshape(*batch.known.shape, *([1] * sides))
    axes = [0, *range(2, logits.ndim)]
    everything = torch.ones_like(batch.known)
    found = (organ_probabilities(logits, everything) >= 0.5) & weight
    true = (batch.targets >= 0.5) & weight
    return torch.stack([(found & true).sum(axes), found.sum(axes), true.sum(axes)]).double()
