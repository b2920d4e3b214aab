"""`oarflow train fit`: train a network, or continue a training."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from pathlib import Path

from oarflow.networks.card import PROPOSED_LABELS
from oarflow.training.commands.options import Options, configured_keys, open_data, usage_errors
from oarflow.training.commands.progress import progress
from oarflow.training.configuration import Configuration, read_configuration
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.data_set import TrainingData
from oarflow.training.fitting.checkpoint import read_checkpoint
from oarflow.training.fitting.dry_run import require_trainable
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin, TrainingRecord, program_commit
from oarflow.training.papers.slice.backbone_choice import chosen_backbone
from oarflow.training.samplers.selection import sampler_for, validation_sampler


def run(options: Options) -> None:
    """Train the network that the options name."""
    keys = configured_keys(options)
    with usage_errors():
        if options.backbones is not None:
            keys |= chosen_backbone(options.backbones, options.network, keys)
        configuration = read_configuration(options.network, **keys)
        require_trainable(configuration)
    fit(
        configuration,
        open_data(options),
        options.work,
        options.device,
        workers=options.workers,
        begin=options.begin,
    )


def fit(
    configuration: Configuration,
    data: TrainingData,
    work: Path,
    device: str,
    *,
    workers: int = 0,
    begin: Path | None = None,
) -> None:
    """Train one network on the split's fitting patients, with progress.

    A configuration that validates does so on the split's tuning patients. The checkpoint holds
    what was trained, and on what. begin: folder of another training's checkpoint to start from; the
    record names its data, too.
    """
    mr = "mr" in configuration.images
    cases = data.keep(data.split.fit, work, mr=mr)
    origin = _origin(configuration, data, cases, begin)
    sampler = sampler_for(cases, configuration)
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
            begin=begin,
        )


def _origin(
    configuration: Configuration,
    data: TrainingData,
    cases: Sequence[TrainingCase],
    begin: Path | None,
) -> TrainingOrigin:
    """cases: those that fit."""
    organs = configuration.read_labels
    count = sum(any(organ in case.masks for organ in organs) for case in cases)
    labels = data.label_source(configuration.organs)
    if labels == PROPOSED_LABELS:
        drawn = sum(
            any(o in case.masks and o not in case.proposed for o in organs) for case in cases
        )
        labels = f"{labels}: drawn of {drawn} patients, proposed of {count - drawn} more"
    return TrainingOrigin(_data_name(data, begin), count, labels, program_commit())


def _data_name(data: TrainingData, begin: Path | None) -> str | None:
    """The data's name on the card; with `begin`, after that of the data it began with."""
    record = None if begin is None else TrainingRecord.of(read_checkpoint(begin))
    before = None if record is None or record.origin is None else record.origin.data
    return data.name if before is None else f"{before}; then {data.name or 'others'}"
