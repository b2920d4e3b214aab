"""The state of a training: everything that a checkpoint holds."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from oarflow.training.architectures import build_network
from oarflow.training.architectures.memory_layout import memory_format
from oarflow.training.augmentation.mixup import Mixture, mix
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch, SeededBatch
from oarflow.training.fitting.checkpoint import (
    CHECKPOINT_NAME,
    averaged_weights,
    load_weights,
    read_checkpoint,
    repeated_outputs,
)
from oarflow.training.fitting.curves import log_validation
from oarflow.training.fitting.record import TrainingOrigin, TrainingRecord
from oarflow.training.optimization.losses import objective
from oarflow.training.optimization.optimizers import optimizer
from oarflow.training.optimization.schedule import Schedule
from oarflow.training.optimization.weight_average import running_mean
from oarflow.training.tuning.validation import Validator

LOGGER = logging.getLogger(__name__)


class TrainingState:
    """Everything that a checkpoint holds."""

    def __init__(
        self, configuration: Configuration, origin: TrainingOrigin | None, device: str
    ) -> None:
        self._configuration = configuration
        self._origin = origin
        self._record: TrainingRecord | None = TrainingRecord(configuration, origin)
        self._device = torch.device(device)
        network = build_network(configuration).to(self._device)
        layout = memory_format(network, configuration.dimensions, self._device)
        network.to(memory_format=layout)  # type: ignore[call-overload]
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=running_mean(configuration.average),
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
        """Seconds of the whole training, earlier sessions included."""
        return self._seconds_before + time.monotonic() - started

    def begin(self, folder: Path) -> None:
        """Take the averaged weights of another training's checkpoint.

        If that network has one organ, all organs of this one begin with it. Raises
        ConfigurationError if the weights are of another architecture.
        """
        weights = averaged_weights(read_checkpoint(folder, self._device))
        weights = repeated_outputs(weights, self.network)
        load_weights(self.network, weights, self._configuration)
        load_weights(self.average.module, weights, self._configuration)

    def resume(self, folder: Path) -> None:
        """Go on from the folder's checkpoint, if there is one.

        One without a record gets none: how its first steps were made is unknown.
        """
        if not (folder / CHECKPOINT_NAME).exists():
            return
        saved = read_checkpoint(folder, self._device)
        record = TrainingRecord.of(saved)
        if record is not None:
            record = record.continued(self._configuration, self._origin)
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
        """Write the checkpoint: a crash leaves the earlier one whole."""
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

    def advance(self, seeded: SeededBatch) -> Tensor:
        """One step; its loss, which a GPU need not have ready yet. The step seeds dropout, too."""
        torch.manual_seed(self._configuration.seed * 1_000_003 + self.step)
        self._schedule.before_step(self.step)
        self.network.train()
        self._optimizer.zero_grad(set_to_none=True)
        if self._configuration.mixup == "none":
            batch = seeded.batch.to(self._device)
            loss = self._loss(self._logits(batch.inputs), batch)
        else:
            loss = self._mixed_loss(mix(seeded.batch, seeded.random))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    def validate(self, validator: Validator, folder: Path) -> None:
        """Measure the averaged weights; keep the best ones where the configuration wants them."""
        found = validator.measure(self.average.module, self._device)
        log_validation(folder, self.step, found.dice, found.iou, self._schedule.rate)
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

    def _logits(self, inputs: Tensor) -> Tensor:
        """float32 logits, computed in the configuration's precision."""
        with torch.autocast(
            self._device.type,
            dtype=torch.bfloat16,
            enabled=self._configuration.precision == "bfloat16",
        ):
            logits: Tensor = self.network(inputs)
        return logits.float()

    def _loss(self, logits: Tensor, batch: SampleBatch) -> Tensor:
        return self._objective(logits, batch.targets, batch.known)

    def _mixed_loss(self, mixture: Mixture) -> Tensor:
        logits = self._logits(mixture.inputs.to(self._device))
        first, second = (self._loss(logits, part.to(self._device)) for part in mixture.parts)
        return mixture.share * first + (1 - mixture.share) * second
