"""The training loop: seeded, resumable; log, validations and curves beside the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import Sampler, batches
from oarflow.training.fitting.curves import draw_curves, log_step
from oarflow.training.fitting.record import TrainingOrigin
from oarflow.training.fitting.state import TrainingState
from oarflow.training.tuning.validation import Validator

CHECKPOINT_EVERY = 250
CHECKPOINT_S = 120.0
"""A stopped training loses at most so many steps, or so many seconds where these come first."""

ProgressCallback = Callable[[int, float], None]
"""Given the step and the running mean of the loss."""


@dataclass(frozen=True)
class TrainedNetwork:
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
    report: ProgressCallback | None = None,
    *,
    validation: Sampler | None = None,
    workers: int = 0,
    limit_s: float | None = None,
    origin: TrainingOrigin | None = None,
    begin: Path | None = None,
) -> TrainedNetwork:
    """Train to the configured number of steps, going on from the folder's checkpoint.

    Each step draws its batch with a generator seeded by the configuration's seed and the step, so
    that a resumed run sees the batches it would have seen.
    validation: draws from the tuning patients; needed where the configuration validates.
    workers: processes that draw batches ahead; the weights do not depend on their number.
    limit_s: stop, with a checkpoint, after so many seconds.
    origin: what is learned from; the checkpoint holds it beside the configuration.
    begin: folder of another training whose averaged weights are the start of this one.
    Raises ValueError for a configuration that cannot be trained so, and for a checkpoint that is
    damaged or was begun with another configuration or other data.
    """
    if configuration.steps == 0:
        raise ValueError(f"{configuration.name}: its epochs must be turned into steps first")
    validator = None
    if configuration.validate_every:
        if validation is None:
            raise ValueError(f"{configuration.name} validates, and needs patients for it")
        validator = Validator(validation, configuration.seed)
    folder.mkdir(parents=True, exist_ok=True)
    state = TrainingState(configuration, origin, device)
    if begin is not None:
        state.begin(begin)
    state.resume(folder)
    started = saved = time.monotonic()
    running: Tensor | None = None
    left = range(state.step, configuration.steps)
    for batch in batches(sampler, configuration.seed, left, workers):
        if limit_s is not None and time.monotonic() - started > limit_s:
            state.save(folder, state.seconds(started))
            break
        loss = state.advance(batch)
        running = loss if running is None else 0.98 * running + 0.02 * loss
        ended = state.step == configuration.steps
        if state.step % 50 == 0 or ended:
            log_step(folder, state.step, float(running), state.seconds(started))
            if report is not None:
                report(state.step, float(running))
        if validator is not None and (state.step % configuration.validate_every == 0 or ended):
            state.validate(validator, folder)
        late = time.monotonic() - saved >= CHECKPOINT_S
        if state.step % CHECKPOINT_EVERY == 0 or late or ended:
            state.save(folder, state.seconds(started))
            draw_curves(folder)
            saved = time.monotonic()
    return TrainedNetwork(state.exported().cpu().eval(), state.step, state.seconds(started) / 60)
