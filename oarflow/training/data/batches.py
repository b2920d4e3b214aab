"""What a training step sees: a batch of samples, drawn by its seed and step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


@dataclass(frozen=True, eq=False)
class SampleBatch:
    """inputs (n, channels, ...); targets (n, organs, ...) 0 to 1; known bool: (n, organs), or
    (n, organs, ...) where single voxels are not known."""

    inputs: Tensor
    targets: Tensor
    known: Tensor

    def to(self, device: torch.device) -> SampleBatch:
        """The batch on a device."""
        return SampleBatch(self.inputs.to(device), self.targets.to(device), self.known.to(device))


class Sampler(Protocol):
    """Draws a batch; the same one for a generator in the same state, whatever was drawn before."""

    def draw(self, random: np.random.Generator) -> SampleBatch: ...


@dataclass(frozen=True, eq=False)
class SeededBatch:
    """A step's batch, and the generator that drew it, for what is left to chance after that."""

    batch: SampleBatch
    random: np.random.Generator


class _Steps(Dataset[SeededBatch]):
    """The batches of all steps, each by its number."""

    def __init__(self, sampler: Sampler, seed: int) -> None:
        self._sampler = sampler
        self._seed = seed

    def __getitem__(self, step: int) -> SeededBatch:
        random = np.random.default_rng((self._seed, step))
        return SeededBatch(self._sampler.draw(random), random)


def batches(sampler: Sampler, seed: int, steps: range, workers: int = 0) -> Iterator[SeededBatch]:
    """The batch of each step, in order. A batch depends on the seed and the step only.

    workers: processes that draw ahead, 0 for none.
    """
    loader = DataLoader(
        _Steps(sampler, seed),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )
    return iter(loader)
