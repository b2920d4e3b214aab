"""What the commands of `oarflow train` do: from their flags to the functions of this package."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()
# MONAI imports all of it that is installed; the deployment SDK then warns of a small stack.
warnings.filterwarnings("ignore", "Current stack size", RuntimeWarning)

import torch

from oarflow.errors import ConfigurationError
from oarflow.training import cards, commands, judging
from oarflow.training.configuration import read_configuration
from oarflow.training.data import TrainingData
from oarflow.training.dry_run import require_trainable
from oarflow.training.experiment.choice import chosen_backbone
from oarflow.training.experiment.plan import Settings

OPENKBP_ORGANS = (
    "Parotid_L",
    "Larynx",
    "Brainstem",
    "Esophagus",
    "SpinalCord",
    "Parotid_R",
    "Bone_Mandible",
)

Options = argparse.Namespace


def prepare(threads: int, device: str) -> None:
    """Before a command. Raises ConfigurationError for a device that torch does not have here."""
    torch.set_num_threads(threads)
    with _as_usage():
        check_device(device)


@contextmanager
def _as_usage() -> Iterator[None]:
    """A ValueError is of the flags or the network's configuration, not of the data: status 2."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError("USAGE", str(error)) from error


def _data(options: Options) -> TrainingData:
    data = TrainingData.open(options.data, options.split, options.derived, options.data_name)
    data = replace(data, proposed=options.proposed)
    if options.everyone and options.fold is not None:
        raise ConfigurationError(
            "USAGE", "--everyone holds nobody out, --fold does: give one of them"
        )
    if options.everyone:
        return data.everyone()
    return data if options.fold is None else data.fold(*options.fold)


def _given(options: Options) -> dict[str, Any]:
    """What the command line itself says of the configuration."""
    named = {"steps": options.steps, "seed": options.seed}
    return {key: value for key, value in named.items() if value is not None} | dict(options.set)


def check_device(text: str) -> None:
    """Raises ValueError for a device that torch does not have here."""
    try:
        device = torch.device(text)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {text!r} is none of cpu, cuda, cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {text}: torch finds no such GPU here; leave it out, or use cpu")


def _systems(_: Options) -> None:
    commands.systems()


def _audit(options: Options) -> None:
    commands.audit(_data(options), options.output)


def _fit(options: Options) -> None:
    given = _given(options)
    with _as_usage():
        if options.backbones is not None:
            given |= chosen_backbone(options.backbones, options.network, given)
        configuration = read_configuration(options.network, **given)
        require_trainable(configuration)
    commands.fit(
        configuration,
        _data(options),
        options.work,
        options.device,
        workers=options.workers,
    )


def _propose(options: Options) -> None:
    commands.propose(_data(options), options.models, options.organs, options.output)


def _export(options: Options) -> None:
    given = _given(options)
    with _as_usage():
        configuration = read_configuration(options.network, **given)
    commands.ship(
        configuration,
        given.keys(),
        options.work,
        models=options.models,
        version=options.version,
        data_name=options.data_name,
        data=None if options.data is None else lambda: _data(options),
    )


def _fusion(options: Options) -> None:
    commands.fusion(_data(options), options.models, options.patients, options.device)


def _tune(options: Options) -> None:
    judging.tune(_data(options), options.models, options.jitter, options.output)


def _localizers(options: Options) -> None:
    judging.localizers(_data(options), options.models, options.output)


def _agreement(options: Options) -> None:
    judging.agreement(_data(options), options.models, options.output)


def _views(options: Options) -> None:
    judging.views(_data(options), options.models, options.output, options.patients, options.device)


def _steps(options: Options) -> None:
    judging.steps(_data(options), options.models, options.output, options.patients, options.device)


def _experiment(options: Options) -> None:
    organs = options.organs or OPENKBP_ORGANS
    settings = Settings(
        tuple(organs),
        tuple(options.backbones),
        options.patients,
        options.steps,
        options.seed,
    )
    chosen = (
        f"--organs {' '.join(organs)} --backbones {' '.join(options.backbones)}"
        f" --patients {options.patients} --steps {options.steps} --seed {options.seed}"
    )
    judging.slice_experiment(
        settings,
        _data(options),
        options.work,
        output=options.output,
        minutes=options.minutes,
        device=options.device,
        command=f"oarflow train experiment slice --data DATA --work RUNS {chosen}",
    )


def _cards(options: Options) -> None:
    if options.scores is not None:
        cards.record_validation(options.scores, options.models, options.scored_on)
    cards.write_pages(options.models, options.output)


COMMANDS: dict[str, Callable[[Options], None]] = {
    "systems": _systems,
    "audit": _audit,
    "fit": _fit,
    "export": _export,
    "fusion": _fusion,
    "tune": _tune,
    "propose": _propose,
    "localizers": _localizers,
    "agreement": _agreement,
    "views": _views,
    "steps": _steps,
    "experiment": _experiment,
    "cards": _cards,
}
"""By name. oarflow/commands/train.py has their flags."""
