"""What a training step sees: a batch of samples, or one of two samples laid over each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

MIXING = 0.2
"""Both parameters of the beta distribution of mixup's shares (RESU, section 4.2.4)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """inputs (n, channels, ...); targets (n, organs, ...) 0 to 1; known (n, organs) bool."""

    inputs: Tensor
    targets: Tensor
    known: Tensor


class Sampler(Protocol):
    """Draws a batch; the same one for a generator in the same state."""

    def draw(self, random: np.random.Generator) -> Batch: ...


@dataclass(frozen=True, eq=False)
class Mixture:
    """inputs of which the first part's targets hold for `share`, the second's for the rest."""

    inputs: Tensor
    parts: tuple[Batch, Batch]
    share: float


def mix(batch: Batch, random: np.random.Generator, parameter: float = MIXING) -> Mixture:
    """The batch laid over itself in another order, with a share from Beta(parameter, parameter)."""
    share = float(random.beta(parameter, parameter))
    order = torch.from_numpy(random.permutation(len(batch.inputs)))
    other = Batch(batch.inputs[order], batch.targets[order], batch.known[order])
    return Mixture(share * batch.inputs + (1 - share) * other.inputs, (batch, other), share)
