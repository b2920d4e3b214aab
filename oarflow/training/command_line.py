"""The command line of python -m oarflow.training: what each command takes, and whom it calls."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from oarflow.training import cards, commands, judging
from oarflow.training.configuration import read_configuration
from oarflow.training.data import TrainingData
from oarflow.training.experiment.choice import chosen_backbone
from oarflow.training.experiment.plan import BACKBONES, DROPOUT, Settings
from oarflow.yaml_files import YamlError, parse_yaml

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
Command = Callable[[Options], None]


def parser() -> argparse.ArgumentParser:
    """Its options have `run`, the command, which takes them."""
    whole = argparse.ArgumentParser(prog="python -m oarflow.training")
    whole.add_argument("--threads", type=int, default=1, help="CPU threads")
    add = whole.add_subparsers(dest="command", required=True).add_parser
    data, unread, network, models, device, some = _shared()

    def command(
        name: str, run: Command, about: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        made = add(name, parents=parents, help=about, description=about)
        made.set_defaults(run=run)
        return made

    command("systems", _systems, "what can be trained")
    audit = command("audit", _audit, "find labels that stand out", data)
    audit.add_argument("--output", type=Path, required=True, help="CSV of every label's facts")
    fit = command("fit", _fit, "train a network, or go on where it stopped", data, network, device)
    fit.add_argument(
        "--backbones", type=Path, help="file of `experiment slice`: each organ's chosen backbone"
    )
    fit.add_argument(
        "--workers", type=int, default=0, help="processes that draw samples ahead, for a GPU"
    )
    about = "write a network into the models, as its checkpoint says that it was trained"
    export = command("export", _export, about, unread, network, models)
    export.add_argument("--version", default="1.0.0")
    about = "learn how the coarse views of a models folder are fused (C2F)"
    command("fusion", _fusion, about, data, models, some, device)

    tune = command("tune", _tune, "score the models on the tuning patients", data, models)
    tune.add_argument("--output", type=Path, required=True, help="CSV of all scores")
    tune.add_argument(
        "--jitter",
        type=float,
        help="replace the localizer by the truth with an error of this many mm (1 sigma)",
    )
    about = "contours of the fitting patients where nobody drew any, by the models' networks"
    proposing = command("propose", _propose, about, data, models)
    proposing.add_argument("--organs", nargs="+", required=True, help="whose contours")
    proposing.add_argument("--output", type=Path, required=True, help="folder for --proposed")
    about = "compare localizers on the tuning patients"
    _compares(command("localizers", _localizers, about, data), "+")
    about = "compare two networks an organ on the tuning patients"
    _compares(command("agreement", _agreement, about, data), 2)
    about = "C2F's table 1 on the tuning patients: each view against their fusion"
    views = command("views", _views, about, data, models, some, device)
    views.add_argument("--output", type=Path, required=True, help="Markdown; a CSV goes beside it")
    about = "TWOSTEP's one step against two on the tuning patients"
    _compares(command("steps", _steps, about, data, some, device), 2)
    _add_experiment(
        command("experiment", _experiment, "a paper's own comparison, resumable", data, device)
    )
    pages = command("cards", _cards, "validation figures and pages of the models", models)
    pages.add_argument("--output", type=Path, required=True, help="folder of the pages")
    pages.add_argument("--scores", type=Path, help="scores.csv whose figures go into the cards")
    pages.add_argument("--scored-on", default="", help="what the scores were measured on")
    return whole


def _shared() -> tuple[argparse.ArgumentParser, ...]:
    data, unread, network, models, device, some = (
        argparse.ArgumentParser(add_help=False) for _ in range(6)
    )
    _takes_data(data, required=True)
    _takes_data(unread, required=False)
    network.add_argument(
        "network",
        help="a name that `systems` lists, table/organ, an organ of slice, or a YAML file",
    )
    network.add_argument("--work", type=Path, required=True, help="folder of checkpoints and logs")
    network.add_argument("--steps", type=int)
    network.add_argument("--seed", type=int)
    network.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a key of the configuration; may be repeated, the same for export",
    )
    models.add_argument("--models", type=Path, required=True, help="the models folder")
    device.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    some.add_argument("--patients", type=int, help="so many at most (default: all)")
    return data, unread, network, models, device, some


def _takes_data(made: argparse.ArgumentParser, *, required: bool) -> None:
    """Not required: only a checkpoint without a record of its training needs them."""
    made.add_argument(
        "--data",
        type=Path,
        required=required,
        help="folder of patients in any layout that is known"
        + ("" if required else "; only for a checkpoint that holds no record of its training"),
    )
    made.add_argument(
        "--split",
        type=Path,
        help="table of who fits and who tunes (default: OpenKBP's own; else 85/15 by patient)",
    )
    made.add_argument(
        "--derived", type=Path, help="folder of derived labels: python -m oarflow.datasets derive"
    )
    made.add_argument(
        "--fold", type=_fold, metavar="K/N", help="hold out the K-th of N parts of all patients"
    )
    made.add_argument(
        "--everyone",
        action="store_true",
        help="fit on the tuning patients too: a last training, when nothing is left to choose",
    )
    made.add_argument(
        "--proposed",
        type=Path,
        help="folder of proposed labels: python -m oarflow.training propose",
    )
    made.add_argument("--data-name", help="what the model card says of the data")


def _compares(made: argparse.ArgumentParser, count: int | str) -> None:
    made.add_argument("--models", type=Path, nargs=count, required=True, help="models folders")
    made.add_argument("--output", type=Path, required=True, help="Markdown file")


def _add_experiment(made: argparse.ArgumentParser) -> None:
    made.add_argument("paper", choices=["slice"], help="SLICE: crops against full slices")
    made.add_argument("--work", type=Path, required=True, help="folder of checkpoints and scores")
    made.add_argument("--organs", nargs="+", default=list(OPENKBP_ORGANS))
    made.add_argument(
        "--backbones", nargs="+", choices=[*BACKBONES, DROPOUT], default=list(BACKBONES)
    )
    made.add_argument("--patients", type=int, default=60, help="of each organ, 0 for all")
    made.add_argument("--steps", type=int, default=1500, help="of every network alike")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--minutes", type=float, help="stop after so long; call again to go on")
    made.add_argument(
        "--output", type=Path, help="Markdown file (default: beside the results, in --work)"
    )


def _data(options: Options) -> TrainingData:
    data = TrainingData.open(options.data, options.split, options.derived, options.data_name)
    data = replace(data, proposed=options.proposed)
    if options.everyone and options.fold is not None:
        raise ValueError("--everyone holds nobody out, --fold does: give one of them")
    if options.everyone:
        return data.everyone()
    return data if options.fold is None else data.fold(*options.fold)


def _fold(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    return int(number), int(count)


def _given(options: Options) -> dict[str, Any]:
    """What the command line itself says of the configuration."""
    named = {"steps": options.steps, "seed": options.seed}
    return {key: value for key, value in named.items() if value is not None} | dict(options.set)


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, parse_yaml(value)
    except YamlError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is no value in YAML") from error


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
    if options.backbones is not None:
        given |= chosen_backbone(options.backbones, options.network, given)
    configuration = read_configuration(options.network, **given)
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
    commands.ship(
        read_configuration(options.network, **given),
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
    settings = Settings(
        tuple(options.organs),
        tuple(options.backbones),
        options.patients,
        options.steps,
        options.seed,
    )
    chosen = (
        f"--organs {' '.join(options.organs)} --backbones {' '.join(options.backbones)}"
        f" --patients {options.patients} --steps {options.steps} --seed {options.seed}"
    )
    judging.slice_experiment(
        settings,
        _data(options),
        options.work,
        output=options.output,
        minutes=options.minutes,
        device=options.device,
        command=f"python -m oarflow.training experiment slice --data DATA --work RUNS {chosen}",
    )


def _cards(options: Options) -> None:
    if options.scores is not None:
        cards.record_validation(options.scores, options.models, options.scored_on)
    cards.write_pages(options.models, options.output)
