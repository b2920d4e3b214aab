"""The training loop: seeded, resumable; log, validations and curves beside the checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from oarflow.training import curves
from oarflow.training.architectures import build_network
from oarflow.training.batches import Batch, Drawn, Mixture, Sampler, batches, mix
from oarflow.training.checkpoint import (
    CHECKPOINT_NAME,
    Origin,
    Record,
    load_weights,
    read_checkpoint,
)
from oarflow.training.configuration import Configuration
from oarflow.training.curves import LOG_NAME
from oarflow.training.losses import objective
from oarflow.training.memory_layout import memory_format
from oarflow.training.optimization import Schedule, optimizer
from oarflow.training.validation import Validation

__all__ = ["CHECKPOINT_NAME", "LOG_NAME", "Outcome", "Report", "build_network", "train"]

LOGGER = logging.getLogger(__name__)
CHECKPOINT_EVERY = 250
CHECKPOINT_S = 120.0
"""A stopped training loses at most so many steps, or so many seconds where these come first."""

Report = Callable[[int, float], None]
Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class Outcome:
    """The network with averaged weights, in evaluation mode, and what it took.

    steps is less than the configuration's where the time limit came first.
    """

    network: nn.Module
    steps: int
    minutes: float


def train(
    sampler: Sampler,
    configuration: Configuration,
    folder: Path,
    device: str = "cpu",
    report: Report | None = None,
    *,
    validation: Sampler | None = None,
    workers: int = 0,
    limit_s: float | None = None,
    origin: Origin | None = None,
) -> Outcome:
    """Train to the configured number of steps, going on from the folder's checkpoint.

    Each step draws its batch with a generator seeded by the configuration's seed and the step, so
    that a resumed run sees the batches it would have seen.
    validation: draws from the tuning patients; needed where the configuration validates.
    workers: processes that draw batches ahead; the weights do not depend on their number.
    limit_s: stop, with a checkpoint, after so many seconds.
    origin: what is learned from; the checkpoint holds it beside the configuration.
    Raises ValueError for a configuration that cannot be trained so, and for a checkpoint that is
    damaged or was begun with another configuration or other data.
    """
    if configuration.steps == 0:
        raise ValueError(f"{configuration.name}: its epochs must be turned into steps first")
    judge = None
    if configuration.validate_every:
        if validation is None:
            raise ValueError(f"{configuration.name} validates, and needs patients for it")
        judge = Validation(validation, configuration.seed)
    folder.mkdir(parents=True, exist_ok=True)
    state = _State(configuration, origin, device)
    state.resume(folder)
    started = saved = time.monotonic()
    running: Tensor | None = None
    left = range(state.step, configuration.steps)
    for drawn in batches(sampler, configuration.seed, left, workers):
        if limit_s is not None and time.monotonic() - started > limit_s:
            state.save(folder, state.seconds(started))
            break
        loss = state.advance(drawn)
        running = loss if running is None else 0.98 * running + 0.02 * loss
        ended = state.step == configuration.steps
        if state.step % 50 == 0 or ended:
            curves.log(folder, state.step, float(running), state.seconds(started))
            if report is not None:
                report(state.step, float(running))
        if judge is not None and (state.step % configuration.validate_every == 0 or ended):
            state.validate(judge, folder)
        late = time.monotonic() - saved >= CHECKPOINT_S
        if state.step % CHECKPOINT_EVERY == 0 or late or ended:
            state.save(folder, state.seconds(started))
            curves.draw(folder)
            saved = time.monotonic()
    return Outcome(state.exported().cpu().eval(), state.step, state.seconds(started) / 60)


class _State:
    """Everything that a checkpoint holds."""

    def __init__(self, configuration: Configuration, origin: Origin | None, device: str) -> None:
        self._configuration = configuration
        self._origin = origin
        self._record: Record | None = Record(configuration, origin)
        self._device = torch.device(device)
        network = build_network(configuration).to(self._device)
        layout = memory_format(network, configuration.dimensions, self._device)
        network.to(memory_format=layout)  # type: ignore[call-overload]
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=_running_mean(configuration.average),
            use_buffers=True,
        )
        self._optimizer = optimizer(network, configuration)
        self._schedule = Schedule(self._optimizer, configuration)
        self._objective = objective(configuration)
        self.step = 0
        self._seconds_before = 0.0
        self._best_dice = -1.0
        self._best: dict[str, Tensor] | None = None

    def seconds(self, started: float) -> float:
        return self._seconds_before + time.monotonic() - started

    def resume(self, folder: Path) -> None:
        """Go on from the folder's checkpoint, if there is one.

        One without a record gets none: nobody knows how its first steps were made.
        """
        if not (folder / CHECKPOINT_NAME).exists():
            return
        saved = read_checkpoint(folder, self._device)
        record = Record.of(saved)
        if record is not None:
            record = record.going_on(self._configuration, self._origin)
        self._record = record
        load_weights(self.network, saved["network"], self._configuration)
        load_weights(self.average, saved["average"], self._configuration)
        self._optimizer.load_state_dict(saved["optimizer"])
        self.step, self._seconds_before = saved["step"], saved["seconds"]
        if "schedule" in saved:
            self._schedule.load_state_dict(saved["schedule"])
        self._best, self._best_dice = saved.get("best"), saved.get("best_dice", -1.0)
        LOGGER.info("resumed at step %d", self.step)

    def save(self, folder: Path, seconds: float) -> None:
        part = folder / (CHECKPOINT_NAME + ".part")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": self._schedule.state_dict(),
                "best": self._best,
                "best_dice": self._best_dice,
                "step": self.step,
                "seconds": seconds,
                **({} if self._record is None else self._record.entries()),
            },
            part,
        )
        part.replace(folder / CHECKPOINT_NAME)

    def advance(self, drawn: Drawn) -> Tensor:
        """One step; its loss, which a GPU need not have ready yet. The step seeds dropout, too."""
        torch.manual_seed(self._configuration.seed * 1_000_003 + self.step)
        self._schedule.before_step(self.step)
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        if self._configuration.mixup == "none":
            batch = drawn.batch.to(self._device)
            loss = self._loss(self.network(batch.inputs), batch)
        else:
            loss = self._mixed_loss(mix(drawn.batch, drawn.random))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    def validate(self, judge: Validation, folder: Path) -> None:
        """Judge the averaged weights; keep the best ones where the configuration wants them."""
        found = judge.judge(self.average.module, self._device)
        curves.log_validation(folder, self.step, found.dice, found.iou, self._schedule.rate)
        self._schedule.after_validation(found.dice)
        if self._configuration.keep == "best" and found.dice > self._best_dice:
            self._best_dice = found.dice
            self._best = {
                key: value.detach().clone() for key, value in self.average.state_dict().items()
            }

    def exported(self) -> nn.Module:
        """The averaged network, with the weights that are to be exported."""
        if self._best is not None:
            self.average.load_state_dict(self._best)
        return self.average.module

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return self._objective(logits, batch.targets, batch.known)

    def _mixed_loss(self, mixture: Mixture) -> Tensor:
        logits = self.network(mixture.inputs.to(self._device))
        first, second = (self._loss(logits, part.to(self._device)) for part in mixture.parts)
        return mixture.share * first + (1 - mixture.share) * second


def _running_mean(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """A running mean that forgets faster at first: a short training must not keep its start.

    It is given parameters and buffers apart, each by type.
    """

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, share)
        else:
            torch._foreach_copy_(averaged, current)

    return update
