"""python -m training: fit a network, export it for the application, judge it on tuning patients."""

from __future__ import annotations

import argparse
import csv
import logging
import statistics
import sys
from collections import defaultdict
from dataclasses import astuple, fields
from pathlib import Path

from oarflow.runtime import preload_cuda_runtime

preload_cuda_runtime()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from rich.progress import (  # noqa: E402
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from oarflow.errors import ConfigurationError  # noqa: E402
from oarflow.networks.card import Role  # noqa: E402
from oarflow.networks.store import ModelStore  # noqa: E402
from training.cases import OPENKBP_ORGANS, Split, read_openkbp  # noqa: E402
from training.configuration import Configuration, read_configuration  # noqa: E402
from training.export import export  # noqa: E402
from training.loop import train  # noqa: E402
from training.samplers import sampler_for  # noqa: E402
from training.tuning import Score, score_case  # noqa: E402

DEFAULT_SPLIT = Path(__file__).parent.parent / "datasets" / "openkbp_split.yaml"


DATA_NAME = "OpenKBP (open-kbp, MIT licence), training patients"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 2 where the arguments are wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    try:
        if options.command == "tune":
            tune(options.data, options.split, options.models, options.jitter, options.output)
            return 0
        configuration = read_configuration(options.network, steps=options.steps, seed=options.seed)
        if options.command == "fit":
            fit(configuration, options.data, options.split, options.work, options.device)
        else:
            ship(configuration, options)
    except (ValueError, OSError, ConfigurationError) as error:
        sys.stderr.write(f"training: {error}\n")
        return 2
    return 0


def fit(
    configuration: Configuration, data: Path, split_path: Path, work: Path, device: str
) -> None:
    """Train one network on the split's fitting patients, with progress."""
    split = Split.read(split_path)
    cases = read_openkbp(data, split.fit, split)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TextColumn("loss {task.fields[loss]:.3f}"), TimeRemainingColumn()
    ) as bar:
        task = bar.add_task(configuration.name, total=configuration.steps, loss=float("nan"))
        train(
            sampler_for(cases, configuration),
            configuration,
            work / configuration.name,
            device,
            lambda step, loss: bar.update(task, completed=step, loss=loss),
        )


def ship(configuration: Configuration, options: argparse.Namespace) -> None:
    """Export a fitted network into the models folder."""
    split = Split.read(options.split)
    excluded = {
        patient
        for organ, patient in split.excluded
        if configuration.role is Role.SEGMENTER and organ in configuration.organs
    }
    cases = sum(
        patient not in excluded and _labelled(options.data, patient, configuration)
        for patient in split.fit
    )
    card = export(
        configuration,
        options.work / configuration.name,
        options.models,
        cases=cases,
        data=DATA_NAME,
        version=options.version,
    )
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")


def _labelled(data: Path, patient: int, configuration: Configuration) -> bool:
    with np.load(data / f"pt_{patient}.npz") as case:
        return any(OPENKBP_ORGANS[organ] in case for organ in configuration.organs)


def tune(data: Path, split_path: Path, models: Path, jitter: float | None, output: Path) -> None:
    """Score the models on the split's tuning patients; the table goes to output as CSV."""
    split = Split.read(split_path)
    store = ModelStore.open(models, device="cpu")
    by_organ: dict[str, list[Score]] = defaultdict(list)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Score)])
        for case in read_openkbp(data, split.tune, split):
            for score in score_case(case, store, jitter):
                by_organ[score.organ].append(score)
                writer.writerow(astuple(score))
    for organ, scores in by_organ.items():
        dices = [score.dice for score in scores]
        inside = statistics.mean(score.dice_inside for score in scores)
        sys.stdout.write(
            f"{organ:14} n {len(dices):3}  Dice mean {statistics.mean(dices):.3f}"
            f" median {statistics.median(dices):.3f} min {min(dices):.3f}"
            f"  within the reference's slices {inside:.3f}\n"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, required=True, help="folder of OpenKBP pt_N.npz")
    shared.add_argument("--split", type=Path, default=DEFAULT_SPLIT)
    shared.add_argument("--threads", type=int, default=1)
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("network", help="an organ, localizer_axial, localizer_3d, or a YAML file")
    one.add_argument("--work", type=Path, required=True, help="folder for checkpoints and logs")
    one.add_argument("--steps", type=int)
    one.add_argument("--seed", type=int)
    fitting = commands.add_parser(
        "fit", parents=[shared, one], help="train a network, or go on where a run stopped"
    )
    fitting.add_argument("--device", default="cpu")
    shipping = commands.add_parser(
        "export", parents=[shared, one], help="write a fitted network into the models folder"
    )
    shipping.add_argument("--models", type=Path, required=True)
    shipping.add_argument("--version", default="1.0.0")
    tuning = commands.add_parser(
        "tune", parents=[shared], help="score a models folder on the tuning patients"
    )
    tuning.add_argument("--models", type=Path, required=True)
    tuning.add_argument("--output", type=Path, required=True, help="CSV of all scores")
    tuning.add_argument(
        "--jitter",
        type=float,
        help="replace the localizer by the truth with an error of this many mm (1 sigma)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
