"""`oarflow train export`: write a fitted network into the models folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.training.commands.options import Options, configured_keys, open_data, usage_errors
from oarflow.training.configuration import Configuration, read_configuration
from oarflow.training.data.data_set import TrainingData
from oarflow.training.export.model_folder import export
from oarflow.training.fitting.checkpoint import read_checkpoint
from oarflow.training.fitting.record import OTHER_TRAINING, TrainingOrigin, TrainingRecord

LOGGER = logging.getLogger(__name__)


def run(options: Options) -> None:
    """Export the network that the options name."""
    keys = configured_keys(options)
    with usage_errors():
        configuration = read_configuration(options.network, **keys)
    export_fitted(
        configuration,
        keys.keys(),
        options.work,
        models=options.models,
        version=options.version,
        data_name=options.data_name,
        data=None if options.data is None else lambda: open_data(options),
    )


def export_fitted(
    given: Configuration,
    keys: Collection[str],
    work: Path,
    *,
    models: Path,
    version: str,
    data_name: str | None = None,
    data: Callable[[], TrainingData] | None = None,
) -> None:
    """Export a fitted network into the models folder.

    given: the configuration as the command line has it, keys: those that it set itself; they must
    not contradict the checkpoint, which decides. data: opens the training data, for a checkpoint
    that holds no record: then the command line has to say everything.
    Raises ConfigurationError for data without a name, and for what contradicts the checkpoint.
    """
    folder = work / given.name
    record = TrainingRecord.of(read_checkpoint(folder))
    known = None if record is None else record.origin
    configuration = given if record is None else _as_trained(record, given, keys)
    origin = _unrecorded(given, data) if known is None else known
    if data_name is not None and known is not None and known.data not in (None, data_name):
        message = f"--data-name: {given.name} was trained on {origin.data!r}"
        raise ConfigurationError(OTHER_TRAINING, message)
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


def _as_trained(
    record: TrainingRecord, given: Configuration, keys: Collection[str]
) -> Configuration:
    """The checkpoint's configuration, with the threshold of today's.

    Raises ConfigurationError where a set key differs.
    """
    trained = record.configuration.model_copy(update={"threshold": given.threshold})
    differing = [
        key for key in type(given).model_fields if getattr(given, key) != getattr(trained, key)
    ]
    wrong = [
        f"{key} {getattr(given, key)!r}: it was {getattr(trained, key)!r}"
        for key in differing
        if key in keys
    ]
    if wrong:
        message = f"{given.name} was not trained with {'; '.join(wrong)}"
        raise ConfigurationError(OTHER_TRAINING, message)
    others = [key for key in differing if key not in ("steps", "epochs", "validate_every")]
    if others:
        LOGGER.info(
            "%s: as it was trained, not as configured now: %s", given.name, ", ".join(others)
        )
    return trained


def _unrecorded(given: Configuration, data: Callable[[], TrainingData] | None) -> TrainingOrigin:
    """The origin of a training without a record, from the command line. Its commit is unknown."""
    if data is None:
        raise ConfigurationError(
            "USAGE",
            f"the checkpoint of {given.name} holds no record of its training: give export --data"
            " and what else fit was given (--split, --derived, --fold, --steps, --seed, --set)",
        )
    opened = data()
    LOGGER.warning(
        "%s: the checkpoint has no record of its training; the card has the options of export",
        given.name,
    )
    return TrainingOrigin(
        opened.name, opened.count(given.read_labels), opened.label_source(given.organs)
    )
