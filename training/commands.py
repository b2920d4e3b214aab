"""What each command of python -m training does."""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from dataclasses import astuple, fields
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from datasets.openkbp import OpenKbp
from oarflow.networks.store import ModelStore
from training.audit import label_facts, outliers, write_facts
from training.cases import Split, read_openkbp
from training.configuration import Configuration
from training.export import export
from training.localizers import compare
from training.loop import train
from training.samplers import sampler_for
from training.tuning import Score, score_case

DATA_NAME = "OpenKBP (open-kbp, MIT licence), training patients"


def fit(
    configuration: Configuration, data: Path, split_path: Path, work: Path, device: str
) -> None:
    """Train one network on the split's fitting patients, with progress."""
    split = Split.read(split_path)
    cases = read_openkbp(data, split.fit, split)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    loss = TextColumn("loss {task.fields[loss]:.3f}")
    with Progress(*columns, loss, TimeRemainingColumn()) as bar:
        task = bar.add_task(configuration.name, total=configuration.steps, loss=float("nan"))
        train(
            sampler_for(cases, configuration),
            configuration,
            work / configuration.name,
            device,
            lambda step, value: bar.update(task, completed=step, loss=value),
        )


def ship(
    configuration: Configuration,
    data: Path,
    split_path: Path,
    work: Path,
    *,
    models: Path,
    version: str,
) -> None:
    """Export a fitted network into the models folder."""
    split = Split.read(split_path)
    cases = sum(_has_label(data, patient, configuration, split) for patient in split.fit)
    card = export(
        configuration,
        work / configuration.name,
        models,
        cases=cases,
        data=DATA_NAME,
        version=version,
    )
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")


def _has_label(data: Path, patient: int, configuration: Configuration, split: Split) -> bool:
    labelled = OpenKbp(data)[f"pt_{patient}"].masks
    return any(
        organ in labelled and (organ, patient) not in split.excluded
        for organ in configuration.organs
    )


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


def localizers(data: Path, split_path: Path, models: list[Path], output: Path) -> None:
    """Compare the localizers of several models folders on the split's tuning patients."""
    split = Split.read(split_path)
    compare(read_openkbp(data, split.tune, split), models, output)


def audit(data: Path, output: Path) -> None:
    """Facts of every label as CSV, and those that stand out on standard output."""
    patients = sorted(int(path.stem.removeprefix("pt_")) for path in data.glob("pt_*.npz"))
    everything = Split((), (), frozenset())
    facts = list(label_facts(read_openkbp(data, patients, everything)))
    write_facts(facts, output)
    for fact, reason in outliers(facts):
        sys.stdout.write(f"{fact.organ:14} {fact.case:8} {reason}\n")
