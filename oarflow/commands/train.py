"""`oarflow train`: check labels, train networks, export and evaluate them, write their cards."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from oarflow.commands.flags import add_models, add_output
from oarflow.commands.menu import carry_out, menu_of, require

BACKBONES = ("resnet34", "seresnet34", "resnext50", "resnet34_dropout")
"""Conditions of SLICE's experiment; the last one is its dropout variant."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of training."""
    menu = menu_of(parser)
    threads = argparse.ArgumentParser(add_help=False)
    threads.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    data, unread, network, models, device, some = _shared()

    def command(
        name: str, about: str, *parents: argparse.ArgumentParser, output: str | None = None
    ) -> argparse.ArgumentParser:
        made = menu(name, about, *parents, threads)
        if output is not None:
            add_output(made, output, required=True)
        return made

    command("systems", "list what can be trained")
    command(
        "audit", "find labels that stand out", data, output="CSV with measurements of every label"
    )
    about = "train a network, or continue a training"
    _add_fit(command("fit", about, data, network, device))
    about = "write a trained network and its card into a folder of networks"
    command("export", about, unread, network, models).add_argument("--version", default="1.0.0")
    about = "train the network that combines the coarse views of C2F"
    command("fusion", about, data, models, some, device)
    about = "score networks on the tuning patients"
    command("tune", about, data, models, output="CSV of all scores").add_argument(
        "--jitter",
        type=float,
        help="use the true position with an error of JITTER mm (SD), not a localization network",
    )
    about = "contour organs that have no label in the fitting patients"
    command("propose", about, data, models, output="folder for --proposed").add_argument(
        "--organs", nargs="+", required=True, help="organs to contour"
    )
    about = "compare localization networks on the tuning patients"
    _compares(command("localizers", about, data, output="Markdown file"), "+")
    about = "compare two networks of each organ on the tuning patients"
    _compares(command("agreement", about, data, output="Markdown file"), 2)
    about = "compare C2F's coarse views with their combination, on the tuning patients"
    command(
        "views",
        about,
        data,
        models,
        some,
        device,
        output="Markdown file, with a CSV beside it",
    )
    about = "compare one network with two in a row (TWOSTEP), on the tuning patients"
    _compares(command("steps", about, data, some, device, output="Markdown file"), 2)
    about = "run a paper's own comparison"
    _add_experiment(command("experiment", about, data, device))
    about = "write validation figures into the cards, and a page for each card"
    cards = command("cards", about, models, output="folder of the pages")
    cards.add_argument("--scores", type=Path, help="scores.csv with the figures for the cards")
    cards.add_argument("--scored-on", default="", help="description of the scored data")


def _shared() -> tuple[argparse.ArgumentParser, ...]:
    data, unread, network, models, device, some = (
        argparse.ArgumentParser(add_help=False) for _ in range(6)
    )
    _takes_data(data, required=True)
    _takes_data(unread, required=False)
    network.add_argument(
        "network",
        help="a name that `train systems` prints, such as fine/Larynx; an organ (short for "
        "slice/ORGAN); or a YAML file",
    )
    network.add_argument("--work", type=Path, required=True, help="folder for checkpoints and logs")
    network.add_argument("--steps", type=int)
    network.add_argument("--seed", type=int)
    network.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a key of the configuration; may be repeated",
    )
    add_models(models, "the models folder", required=True)
    device.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    some.add_argument("--patients", type=int, help="greatest number of patients (default: all)")
    return data, unread, network, models, device, some


def _takes_data(made: argparse.ArgumentParser, *, required: bool) -> None:
    """required: False where only a checkpoint without a training record needs the data."""
    add = made.add_argument
    add(
        "--data",
        type=Path,
        required=required,
        help="folder of patients in a known layout"
        + ("" if required else "; only for a checkpoint without a record of its training"),
    )
    split = (
        "YAML table of fitting and tuning patients (default: that of the data set if it has one, "
        "otherwise 85 %% and 15 %% at random)"
    )
    add("--split", type=Path, help=split)
    add("--derived", type=Path, help="folder of derived labels: oarflow data derive")
    fold = "leave out the K-th of N parts of all patients"
    add("--fold", type=_fold, metavar="K/N", help=fold)
    add(
        "--everyone",
        action="store_true",
        help="train on the tuning patients too, so that none are left for comparisons",
    )
    leave_out = "leave out the patients who are also in this data set"
    add("--leave-out", type=Path, metavar="DATA", help=leave_out)
    add("--proposed", type=Path, help="folder of proposed labels: oarflow train propose")
    add("--data-name", help="name of the data on the model card")


def _add_fit(made: argparse.ArgumentParser) -> None:
    backbones = "backbones.yaml of `experiment slice`: the chosen backbone of each organ"
    made.add_argument("--backbones", type=Path, help=backbones)
    begin = "folder of a checkpoint; the training starts with its weights"
    made.add_argument("--begin", type=Path, metavar="DIR", help=begin)
    workers = "processes that prepare samples in advance, for a GPU"
    made.add_argument("--workers", type=int, default=0, help=workers)


def _compares(made: argparse.ArgumentParser, count: int | str) -> None:
    made.add_argument(
        "-m",
        "--models",
        type=Path,
        nargs=count,
        metavar="DIR",
        required=True,
        help="models folders",
    )


def _add_experiment(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("paper", choices=["slice"], help="SLICE: crops compared with full slices")
    add("--work", type=Path, required=True, help="folder for checkpoints and scores")
    add("--organs", nargs="+", help="default: OpenKBP's seven")
    add("--backbones", nargs="+", choices=BACKBONES, default=list(BACKBONES[:-1]))
    add("--patients", type=int, default=60, help="patients of each organ, 0 for all (default: 60)")
    add("--steps", type=int, default=1500, help="steps of every network (default: 1500)")
    add("--seed", type=int, default=1)
    add("--minutes", type=float, help="stop after so many minutes; the same command continues")
    add_output(made, "Markdown file (default: beside the results, in --work)")


def _fold(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N, such as 1/5")
    return int(number), int(count)


def _setting(text: str) -> tuple[str, Any]:
    from oarflow.yaml_files import YamlError, parse_yaml

    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, parse_yaml(value)
    except YamlError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not a YAML value") from error


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    require("train")
    from oarflow.training.commands import COMMANDS
    from oarflow.training.commands.options import prepare

    prepare(flags.threads, getattr(flags, "device", "cpu"))
    return carry_out(lambda: COMMANDS[flags.command](flags))
