"""How the learning rate falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from oarflow.training.configuration import Configuration

WARM_UP_STEPS = 200
"""Under cosine the rate rises over so many steps, or a tenth of all where that is less."""

DECAY_POWER = 0.9
"""Of the polynomial schedule, as nnU-Net has it."""


class Schedule:
    """The learning rate: by the step, or halved when validation no longer improves."""

    def __init__(self, some: torch.optim.Optimizer, configuration: Configuration) -> None:
        self._optimizer = some
        self._configuration = configuration
        self._plateau = ReduceLROnPlateau(
            some, mode="max", factor=0.5, patience=configuration.patience - 1
        )

    @property
    def rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def before_step(self, step: int) -> None:
        """Set the rate of a step, counted from 0; plateau leaves it as it is."""
        if self._configuration.schedule == "plateau":
            return
        for group in self._optimizer.param_groups:
            group["lr"] = self._configuration.learning_rate * self._share(step)

    def after_validation(self, dice: float) -> None:
        """Under plateau: halve the rate after `patience` validations without a better Dice."""
        if self._configuration.schedule == "plateau":
            self._plateau.step(dice)

    def state_dict(self) -> dict[str, Any]:
        return self._plateau.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._plateau.load_state_dict(state)

    def _share(self, step: int) -> float:
        total = self._configuration.steps
        match self._configuration.schedule:
            case "cosine":
                warm = min(1.0, (step + 1) / max(1, min(WARM_UP_STEPS, total // 10)))
                cosine = 0.5 * (1 + np.cos(np.pi * min(step, total) / total))
                return float(warm * max(cosine, 0.01))
            case "polynomial":
                return float((1 - min(step, total - 1) / total) ** DECAY_POWER)
            case _:
                return 1.0
