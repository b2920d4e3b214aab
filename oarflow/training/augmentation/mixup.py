"""Mixup: two samples laid over each other (RESU, section 4.2.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from oarflow.training.data.batches import SampleBatch

MIXING = 0.2
"""Both parameters of the beta distribution of mixup's shares (RESU, section 4.2.4)."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Mixed inputs. The first part's targets weigh `share`, the second part's 1 - `share`."""

    inputs: Tensor
    parts: tuple[SampleBatch, SampleBatch]
    share: float


def mix(batch: SampleBatch, random: np.random.Generator, parameter: float = MIXING) -> Mixture:
    """The batch laid over itself in another order, with a share from Beta(parameter, parameter)."""
    share = float(random.beta(parameter, parameter))
    order = torch.from_numpy(random.permutation(len(batch.inputs)))
    other = SampleBatch(batch.inputs[order], batch.targets[order], batch.known[order])
    return Mixture(share * batch.inputs + (1 - share) * other.inputs, (batch, other), share)
