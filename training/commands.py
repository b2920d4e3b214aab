"""What the commands of python -m training do that make networks, and look at labels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from datasets.derived.store import ORGANS as DERIVED_ORGANS
from oarflow.networks.card import CLINICAL_LABELS, DERIVED_LABELS
from oarflow.networks.store import ModelStore
from training.audit import label_facts, outliers, write_facts
from training.configuration import Configuration, shipped
from training.data import TrainingData
from training.export import export
from training.fusion import export_fusion, fit_fusion
from training.loop import Report, train
from training.samplers import sampler_for, validation_sampler


def fit(configuration: Configuration, data: TrainingData, work: Path, device: str) -> None:
    """Train one network on the split's fitting patients, with progress.

    A configuration that validates does so on the split's tuning patients.
    """
    mr = "mr" in configuration.images
    sampler = sampler_for(data.keep(data.split.fit, work, mr=mr), configuration)
    if isinstance(sampler, Sized):
        configuration = configuration.lasting(len(sampler))
    validation = None
    if configuration.validate_every:
        validation = validation_sampler(data.keep(data.split.tune, work, mr=mr), configuration)
    with progress(configuration.name, configuration.steps) as report:
        train(
            sampler,
            configuration,
            work / configuration.name,
            device,
            report,
            validation=validation,
        )


@contextmanager
def progress(name: str, steps: int) -> Iterator[Report]:
    """A bar for people: the steps done, the loss, the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    loss = TextColumn("loss {task.fields[loss]:.3f}")
    with Progress(*columns, loss, TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=steps, loss=float("nan"))
        yield lambda step, value: bar.update(task, completed=step, loss=value)


def ship(
    configuration: Configuration, data: TrainingData, work: Path, *, models: Path, version: str
) -> None:
    """Export a fitted network into the models folder. Raises ValueError for data without a name."""
    if data.name is None:
        raise ValueError("--data-name is needed: what the card says of these data")
    card = export(
        configuration,
        work / configuration.name,
        models,
        cases=data.count(configuration.read_labels),
        data=data.name,
        version=version,
        labels=_origin(configuration, data),
    )
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")


def _origin(configuration: Configuration, data: TrainingData) -> str:
    """Where a network's labels come from, in the card's words."""
    derived = data.derived is not None and set(configuration.organs) <= set(DERIVED_ORGANS)
    return DERIVED_LABELS if derived else CLINICAL_LABELS


def fusion(data: TrainingData, models: Path, patients: int | None, device: str) -> None:
    """Learn the fusion of the three views of a models folder, and write it beside them."""
    store = ModelStore.open(models, device=device)
    fitted = data.split.fit[:patients]
    card = export_fusion(fit_fusion(data.read(fitted), store), store, len(fitted))
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")


def audit(data: TrainingData, output: Path) -> None:
    """Facts of every label as CSV, and those that stand out on standard output.

    All patients and labels of the folder, also those that the split leaves out.
    """
    facts = list(label_facts(data.unsplit()))
    write_facts(facts, output)
    for fact, reason in outliers(facts):
        sys.stdout.write(f"{fact.organ:14} {fact.case:8} {reason}\n")


def systems() -> None:
    """What can be trained: every shipped configuration, on standard output."""
    for name, about, organs in shipped():
        sys.stdout.write(f"{name}\n    {about}\n")
        if organs:
            sys.stdout.write(f"    fit {name}/ORGAN of {', '.join(organs)}\n")
