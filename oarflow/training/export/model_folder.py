"""From a checkpoint to models/<model>/: the network as TorchScript, and its card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from torch import nn

from oarflow.errors import ConfigurationError, Fault
from oarflow.networks.card import (
    CARD_NAME,
    NETWORK_NAME,
    Channel,
    InputRegion,
    ModelCard,
    Role,
    Training,
    Validation,
    View,
    write_card,
)
from oarflow.training.architectures import build_network, describe
from oarflow.training.architectures.organ_unions import NetworkWithUnions
from oarflow.training.configuration import Configuration
from oarflow.training.export.torchscript import greatest_difference, rounded, torchscript
from oarflow.training.fitting.checkpoint import (
    averaged_weights,
    load_weights,
    read_checkpoint,
)
from oarflow.training.fitting.record import TrainingOrigin

AGREEMENT = 1e-4
"""Greatest difference in logits between the exported and the eager network."""


def averaged_network(configuration: Configuration, work: Path) -> tuple[nn.Module, int, float]:
    """The averaged network of a checkpoint in evaluation mode, its steps and its minutes.

    Its weights are the last ones, or those that validated best where the configuration says so.
    Raises FileNotFoundError, ValueError for a checkpoint that is missing, damaged or another's.
    """
    saved = read_checkpoint(work)
    network = build_network(configuration)
    weights = averaged_weights(saved, best=configuration.keep == "best")
    load_weights(network, weights, configuration)
    return network.eval(), int(saved["step"]), float(saved["seconds"]) / 60


def export(
    configuration: Configuration,
    work: Path,
    models: Path,
    *,
    origin: TrainingOrigin,
    version: str,
    recorded: bool = False,
    validation: Validation | None = None,
) -> ModelCard:
    """Write models/<name>/model.ts and model.json.

    recorded: whether configuration and origin come from the checkpoint. Raises ConfigurationError
    if the data have no name, Fault if the exported network differs from the trained one.
    """
    if origin.data is None:
        raise ConfigurationError("USAGE", "name the data for the model card: give --data-name")
    network, steps, minutes = averaged_network(configuration, work)
    network = rounded(network)
    if configuration.unions:
        network = NetworkWithUnions(network, configuration.organs, configuration.unions).eval()
    file = torchscript(network)
    difference = greatest_difference(network, file, configuration)
    if difference > AGREEMENT:
        raise Fault(f"{configuration.name}: export differs by {difference:.2g} from training")
    folder = models / configuration.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORK_NAME).write_bytes(file)
    card = ModelCard(
        name=f"oarflow/{configuration.name}",
        version=version,
        role=configuration.role,
        organs=(*configuration.organs, *configuration.unions),
        dimensions=configuration.dimensions,
        view=View(configuration.view) if configuration.dimensions == 2 else None,
        region_from=_region(configuration),
        channels=_channels(configuration),
        patch_mm=(0.0, 0.0, 0.0)
        if _region(configuration).source == "volume" and configuration.region != "volume"
        else configuration.patch_mm,
        spacing_mm=configuration.spacing_mm,
        smoothness_mm=configuration.smoothness_mm,
        margin_mm=configuration.beyond_mm,
        multiple=configuration.multiple,
        activation=configuration.activation,
        threshold=configuration.threshold,
        least_cc=configuration.least_cc,
        sha256=hashlib.sha256(file).hexdigest(),
        architecture=describe(configuration),
        parameters=int(np.sum([parameter.numel() for parameter in network.parameters()])),
        training=Training(
            data=origin.data,
            cases=origin.cases,
            commit=origin.commit,
            steps=steps,
            minutes=round(minutes, 1),
            configuration=configuration.model_dump(mode="json"),
            labels=origin.labels,
            recorded=recorded,
        ),
        validation=validation,
    )
    write_card(card, folder / CARD_NAME)
    return card


def _channels(configuration: Configuration) -> tuple[Channel, ...]:
    window = configuration.window
    if configuration.dimensions == 2:
        return tuple(Channel(offset_mm=mm, window=window) for mm in configuration.offsets_mm)
    return tuple(
        Channel(
            source=source,
            window=configuration.mr_window if source == "mr" else window,
            optional=source == "mr" and configuration.mr_dropout > 0,
        )
        for source in configuration.images
    )


def _region(configuration: Configuration) -> InputRegion:
    if configuration.region == "organ":
        return InputRegion(
            source="organ", organ=configuration.source, grow_mm=configuration.grow_mm
        )
    whole = configuration.role is not Role.SEGMENTER or configuration.region != "patch"
    return InputRegion(source="volume" if whole else "localization")
