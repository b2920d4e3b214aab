"""The training loop: seeded, resumable, with a log beside the checkpoint."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.architectures import ResidualUNet
from training.configuration import Configuration
from training.losses import dice_and_cross_entropy
from training.samplers import Batch, Sampler

LOGGER = logging.getLogger(__name__)
CHECKPOINT_NAME = "checkpoint.pt"
LOG_NAME = "log.csv"
CHECKPOINT_EVERY = 250
WARM_UP_STEPS = 200
"""The learning rate rises over so many steps, or a tenth of all where that is less."""

Report = Callable[[int, float], None]
Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class Outcome:
    """The network with averaged weights, in evaluation mode, and what it took."""

    network: nn.Module
    steps: int
    minutes: float


def build_network(configuration: Configuration) -> nn.Module:
    """The configuration's network, seeded."""
    torch.manual_seed(configuration.seed)
    channels = len(configuration.offsets_mm) if configuration.dimensions == 2 else 1
    return ResidualUNet(
        configuration.dimensions,
        channels,
        len(configuration.organs),
        configuration.widths,
        configuration.blocks,
    )


def train(
    sampler: Sampler,
    configuration: Configuration,
    folder: Path,
    device: str = "cpu",
    report: Report | None = None,
) -> Outcome:
    """Train to the configured number of steps, going on from the folder's checkpoint.

    Each step draws its batch with a generator seeded by the configuration's seed and the step, so
    that a resumed run sees the batches it would have seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _State(configuration, device)
    state.resume(folder)
    started = time.monotonic()
    running = None
    while state.step < configuration.steps:
        random = np.random.default_rng((configuration.seed, state.step))
        loss = state.advance(sampler.draw(random))
        running = loss if running is None else 0.98 * running + 0.02 * loss
        if state.step % 50 == 0:
            _append(folder / LOG_NAME, state.step, running, state.seconds(started))
            if report is not None:
                report(state.step, running)
        if state.step % CHECKPOINT_EVERY == 0 or state.step == configuration.steps:
            state.save(folder, state.seconds(started))
    network = state.average.module.cpu().eval()
    return Outcome(network, state.step, state.seconds(started) / 60)


class _State:
    """Everything that a checkpoint holds."""

    def __init__(self, configuration: Configuration, device: str) -> None:
        self._configuration = configuration
        self._device = torch.device(device)
        layout = torch.channels_last if configuration.dimensions == 2 else torch.preserve_format
        network = build_network(configuration).to(self._device)
        network.to(memory_format=layout)  # type: ignore[call-overload]
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=_running_mean(configuration.average),
            use_buffers=True,
        )
        self._optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=configuration.learning_rate,
            weight_decay=configuration.weight_decay,
        )
        self.step = 0
        self._seconds_before = 0.0

    def seconds(self, started: float) -> float:
        return self._seconds_before + time.monotonic() - started

    def resume(self, folder: Path) -> None:
        path = folder / CHECKPOINT_NAME
        if not path.exists():
            return
        saved: dict[str, Any] = torch.load(path, map_location=self._device, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.step, self._seconds_before = saved["step"], saved["seconds"]
        LOGGER.info("resumed at step %d", self.step)

    def save(self, folder: Path, seconds: float) -> None:
        part = folder / (CHECKPOINT_NAME + ".part")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "step": self.step,
                "seconds": seconds,
            },
            part,
        )
        part.replace(folder / CHECKPOINT_NAME)

    def advance(self, batch: Batch) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        logits = self.network(batch.inputs.to(self._device))
        loss = dice_and_cross_entropy(
            logits, batch.targets.to(self._device), batch.known.to(self._device)
        )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return float(loss.detach())

    def _learning_rate(self) -> float:
        total = self._configuration.steps
        warm = min(1.0, (self.step + 1) / max(1, min(WARM_UP_STEPS, total // 10)))
        cosine = 0.5 * (1 + np.cos(np.pi * min(self.step, total) / total))
        return float(self._configuration.learning_rate * warm * max(cosine, 0.01))


def _running_mean(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """A running mean that forgets faster at first: a short training must not keep its start."""

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)

    return update


def _append(path: Path, step: int, loss: float, seconds: float) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(("step", "loss", "seconds"))
        writer.writerow((step, f"{loss:.5f}", f"{seconds:.1f}"))
