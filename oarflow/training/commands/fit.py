"""What the commands of oarflow train do that make networks, and look at labels."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from oarflow.datasets.derived.store import ORGANS as DERIVED_ORGANS
from oarflow.errors import ConfigurationError
from oarflow.networks.card import CLINICAL_LABELS, DERIVED_LABELS, PROPOSED_LABELS
from oarflow.networks.store import ModelStore
from oarflow.training.audit import label_facts, outliers, write_facts
from oarflow.training.checkpoint import OTHER_TRAINING, Origin, Record, commit, read_checkpoint
from oarflow.training.configuration import Configuration, shipped
from oarflow.training.data import TrainingData
from oarflow.training.export import export
from oarflow.training.fusion import export_fusion, fit_fusion, sure_score, write_sure_score
from oarflow.training.loop import Report, train
from oarflow.training.proposals import propose as propose_contours
from oarflow.training.proposals import write_proposals
from oarflow.training.samplers import sampler_for, validation_sampler

LOGGER = logging.getLogger(__name__)


def fit(
    configuration: Configuration,
    data: TrainingData,
    work: Path,
    device: str,
    *,
    workers: int = 0,
) -> None:
    """Train one network on the split's fitting patients, with progress.

    A configuration that validates does so on the split's tuning patients. The checkpoint holds
    what was trained, and on what.
    """
    mr = "mr" in configuration.images
    cases = data.keep(data.split.fit, work, mr=mr)
    sampler = sampler_for(cases, configuration)
    count = sum(any(organ in case.masks for organ in configuration.read_labels) for case in cases)
    labels = _labels(configuration, data)
    if labels == PROPOSED_LABELS:
        drawn = sum(
            any(o in case.masks and o not in case.proposed for o in configuration.read_labels)
            for case in cases
        )
        labels = f"{labels}: drawn of {drawn} patients, proposed of {count - drawn} more"
    origin = Origin(data.name, count, labels, commit())
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
            workers=workers,
            origin=origin,
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
    told: Configuration,
    keys: Collection[str],
    work: Path,
    *,
    models: Path,
    version: str,
    data_name: str | None = None,
    data: Callable[[], TrainingData] | None = None,
) -> None:
    """Export a fitted network into the models folder.

    told: the configuration as the command line has it, keys: those that it set itself; they must
    not contradict the checkpoint, which decides. data: opens the training data, for a checkpoint
    that holds no record: then the command line has to say everything.
    Raises ConfigurationError for data without a name, and for what contradicts the checkpoint.
    """
    folder = work / told.name
    record = Record.of(read_checkpoint(folder))
    known = None if record is None else record.origin
    configuration = told if record is None else _as_trained(record, told, keys)
    origin = _unrecorded(told, data) if known is None else known
    if data_name is not None and known is not None and known.data not in (None, data_name):
        said = f"--data-name: {told.name} was trained on {origin.data!r}"
        raise ConfigurationError(OTHER_TRAINING, said)
    card = export(
        configuration,
        folder,
        models,
        origin=replace(origin, data=data_name or origin.data),
        version=version,
        recorded=known is not None,
    )
    sys.stdout.write(f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}\n")
    if card.training.steps < configuration.steps:
        LOGGER.warning("its training ended at step %d, before its end", card.training.steps)


def _as_trained(record: Record, told: Configuration, keys: Collection[str]) -> Configuration:
    """The checkpoint's configuration. Raises ConfigurationError where a set key differs."""
    trained = record.configuration
    differing = [
        key for key in type(told).model_fields if getattr(told, key) != getattr(trained, key)
    ]
    wrong = [
        f"{key} {getattr(told, key)!r}: it was {getattr(trained, key)!r}"
        for key in differing
        if key in keys
    ]
    if wrong:
        said = f"{told.name} was not trained with {'; '.join(wrong)}"
        raise ConfigurationError(OTHER_TRAINING, said)
    others = [key for key in differing if key not in ("steps", "epochs", "validate_every")]
    if others:
        LOGGER.info(
            "%s: as it was trained, not as configured now: %s", told.name, ", ".join(others)
        )
    return trained


def _unrecorded(told: Configuration, data: Callable[[], TrainingData] | None) -> Origin:
    """What the command line says of a training that wrote nothing down; its commit is unknown."""
    if data is None:
        raise ConfigurationError(
            "USAGE",
            f"the checkpoint of {told.name} holds no record of its training: give export --data"
            " and what else fit was given (--split, --derived, --fold, --steps, --seed, --set)",
        )
    opened = data()
    LOGGER.warning("%s: no record of its training; the card holds what export is told", told.name)
    return Origin(opened.name, opened.count(told.read_labels), _labels(told, opened))


def _labels(configuration: Configuration, data: TrainingData) -> str:
    """Where a network's labels come from, in the card's words."""
    if data.derived is not None and set(configuration.organs) <= set(DERIVED_ORGANS):
        return DERIVED_LABELS
    return CLINICAL_LABELS if data.proposed is None else PROPOSED_LABELS


def propose(data: TrainingData, models: Path, organs: Sequence[str], output: Path) -> None:
    """Write what the models propose for the split's fitting patients, and count it.

    Raises ConfigurationError for organs of which the models have no network.
    """
    store = ModelStore.open(models, device="cpu")
    if unknown := [organ for organ in organs if organ not in store.organs]:
        raise ConfigurationError("USAGE", f"{models} holds no network of {', '.join(unknown)}")
    output.mkdir(parents=True, exist_ok=True)
    lacking, count = (dict.fromkeys(organs, 0) for _ in range(2))
    for case in data.read(data.split.fit, mr=store.reads_mr):
        masks = propose_contours(case, store, organs)
        write_proposals(output / f"{case.name}.npz", masks)
        for organ in organs:
            lacking[organ] += organ not in case.masks
            count[organ] += organ in masks
    for organ, number in count.items():
        sys.stdout.write(
            f"{organ:14} proposed for {number} of {lacking[organ]} patients without a label of it\n"
        )


def fusion(data: TrainingData, models: Path, patients: int | None, device: str) -> None:
    """Learn the fusion of the three views of a models folder, and write it beside them.

    How sure it is of landmarks where it is right goes on its card.
    """
    store = ModelStore.open(models, device=device)
    fitted = data.split.fit[:patients]
    started = time.monotonic()
    fused = fit_fusion(data.read(fitted), store)
    export_fusion(fused, store, len(fitted), (time.monotonic() - started) / 60)
    whole = ModelStore.open(models, device=device)
    card = write_sure_score(whole, sure_score(data.read(fitted), whole))
    sys.stdout.write(
        f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}; landmarks are "
        f"sure from a score of {card.sure_score:.3f}\n"
    )


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
