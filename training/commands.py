"""What each command of python -m training does."""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from datasets.derived.store import ORGANS as DERIVED_ORGANS
from datasets.openkbp import OpenKbp
from oarflow.networks.card import CLINICAL_LABELS, DERIVED_LABELS
from oarflow.networks.store import ModelStore
from training.agreement import compare_pairs
from training.audit import label_facts, outliers, write_facts
from training.cases import Split, read_openkbp
from training.configuration import Configuration, shipped
from training.experiment.page import write_page
from training.experiment.plan import Settings, read_parts
from training.experiment.unit import UNIT_NAME, run
from training.export import export
from training.localizers import compare
from training.loop import Report, train
from training.samplers import sampler_for, validation_sampler
from training.tuning import Score, score_case

DATA_NAME = "OpenKBP (open-kbp, MIT licence), training patients"


def fit(
    configuration: Configuration,
    data: Path,
    split: Split,
    work: Path,
    device: str,
) -> None:
    """Train one network on the split's fitting patients, with progress.

    A configuration that validates does so on the split's tuning patients.
    """
    sampler = sampler_for(read_openkbp(data, split.fit, split), configuration)
    if isinstance(sampler, Sized):
        configuration = configuration.lasting(len(sampler))
    validation = None
    if configuration.validate_every:
        validation = validation_sampler(read_openkbp(data, split.tune, split), configuration)
    with _progress(configuration.name, configuration.steps) as report:
        train(
            sampler,
            configuration,
            work / configuration.name,
            device,
            report,
            validation=validation,
        )


@contextmanager
def _progress(name: str, steps: int) -> Iterator[Report]:
    """A bar for people: the steps done, the loss, the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    loss = TextColumn("loss {task.fields[loss]:.3f}")
    with Progress(*columns, loss, TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=steps, loss=float("nan"))
        yield lambda step, value: bar.update(task, completed=step, loss=value)


def ship(
    configuration: Configuration,
    data: Path,
    split: Split,
    work: Path,
    *,
    models: Path,
    version: str,
) -> None:
    """Export a fitted network into the models folder."""
    cases = sum(_has_label(data, patient, configuration, split) for patient in split.fit)
    card = export(
        configuration,
        work / configuration.name,
        models,
        cases=cases,
        data=DATA_NAME,
        version=version,
        labels=_origin(configuration, split),
    )
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")


def _origin(configuration: Configuration, split: Split) -> str:
    """Where a network's labels come from, in the card's words."""
    derived = split.derived is not None and set(configuration.organs) <= set(DERIVED_ORGANS)
    return DERIVED_LABELS if derived else CLINICAL_LABELS


def _has_label(data: Path, patient: int, configuration: Configuration, split: Split) -> bool:
    labelled = split.with_derived(OpenKbp(data)[f"pt_{patient}"]).masks
    return any(
        organ in labelled and (organ, patient) not in split.excluded
        for organ in configuration.organs
    )


def tune(data: Path, split: Split, models: Path, jitter: float | None, output: Path) -> None:
    """Score the models on the split's tuning patients; the table goes to output as CSV."""
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


def agreement(data: Path, split_path: Path, models: list[Path], output: Path) -> None:
    """Compare two models folders, organ by organ, on the split's tuning patients."""
    split = Split.read(split_path)
    first, second = models
    compare_pairs(read_openkbp(data, split.tune, split), first, second, output)


def audit(data: Path, output: Path) -> None:
    """Facts of every label as CSV, and those that stand out on standard output."""
    patients = sorted(int(path.stem.removeprefix("pt_")) for path in data.glob("pt_*.npz"))
    everything = Split((), (), frozenset())
    facts = list(label_facts(read_openkbp(data, patients, everything)))
    write_facts(facts, output)
    for fact, reason in outliers(facts):
        sys.stdout.write(f"{fact.organ:14} {fact.case:8} {reason}\n")


def systems() -> None:
    """What can be trained: every shipped configuration, on standard output."""
    for name, about, organs in shipped():
        sys.stdout.write(f"{name}\n    {about}\n")
        if organs:
            sys.stdout.write(f"    fit {name}/ORGAN of {', '.join(organs)}\n")


def slice_experiment(
    settings: Settings,
    data: Path,
    split_path: Path,
    work: Path,
    *,
    output: Path,
    minutes: float | None,
    device: str,
    command: str,
) -> None:
    """Train and measure the experiment's networks one after another, then write its page.

    minutes: stop after so long; the next call goes on. The page says what is missing.
    """
    split = Split.read(split_path)
    folder = work / settings.folder
    started = time.monotonic()
    for organ in settings.organs:
        units = [unit for unit in settings.units() if unit.organ == organ]
        units = [unit for unit in units if not (folder / unit.name / UNIT_NAME).exists()]
        cases = read_parts(data, split, organ, settings) if units else {}
        for unit in units:
            left = None if minutes is None else 60 * minutes - (time.monotonic() - started)
            if left is not None and left <= 0:
                break
            with _progress(unit.name, settings.steps) as report:
                run(
                    unit,
                    settings,
                    cases,
                    folder / unit.name,
                    device=device,
                    limit_s=left,
                    report=report,
                )
    for unit in settings.units():
        state = "done" if (folder / unit.name / UNIT_NAME).exists() else "to do"
        sys.stdout.write(f"{unit.name:42} {state}\n")
    if write_page(settings, folder, output, command, device):
        sys.stdout.write(f"{output}\n")
