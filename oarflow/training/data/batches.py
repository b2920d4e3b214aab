"""What a training step sees: a batch of samples, or one of two samples laid over each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

MIXING = 0.2
"""Both parameters of the beta distribution of mixup's shares (RESU, section 4.2.4)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """inputs (n, channels, ...); targets (n, organs, ...) 0 to 1; known bool: (n, organs), or
    (n, organs, ...) where single voxels are not known."""

    inputs: Tensor
    targets: Tensor
    known: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(self.inputs.to(device), self.targets.to(device), self.known.to(device))


class Sampler(Protocol):
    """Draws a batch; the same one for a generator in the same state, whatever was drawn before."""

    def draw(self, random: np.random.Generator) -> Batch: ...


@dataclass(frozen=True, eq=False)
class Mixture:
    """inputs of which the first part's targets hold for `share`, the second's for the rest."""

    inputs: Tensor
    parts: tuple[Batch, Batch]
    share: float


@dataclass(frozen=True, eq=False)
class Drawn:
    """A step's batch, and the generator that drew it, for what is left to chance after that."""

    batch: Batch
    random: np.random.Generator


class _Steps(Dataset[Drawn]):
    """The batches of all steps, each by its number."""

    def __init__(self, sampler: Sampler, seed: int) -> None:
        self._sampler = sampler
        self._seed = seed

    def __getitem__(self, step: int) -> Drawn:
        random = np.random.default_rng((self._seed, step))
        return Drawn(self._sampler.draw(random), random)


def batches(sampler: Sampler, seed: int, steps: range, workers: int = 0) -> Iterator[Drawn]:
    """The batch of each step, in order; of the seed and the step alone, whoever draws it.

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


def mix(batch: Batch, random: np.random.Generator, parameter: float = MIXING) -> Mixture:
    """The batch laid over itself in another order, with a share from Beta(parameter, parameter)."""
    share = float(random.beta(parameter, parameter))
    order = torch.from_numpy(random.permutation(len(batch.inputs)))
    other = Batch(batch.inputs[order], batch.targets[order], batch.known[order])
    return Mixture(share * batch.inputs + (1 - share) * other.inputs, (batch, other), share)
