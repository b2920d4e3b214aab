"""A result folder as an OARflow network: the card's facts from plans, data set and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import sha256, torchscript
from oarflow.importing.nnunet.checkpoint import load_network
from oarflow.importing.nnunet.folder import ResultFolder
from oarflow.importing.statement import Statement
from oarflow.networks.imported.card import (
    ImportedCard,
    NetworkSource,
    OrganLabels,
)
from oarflow.networks.imported.directions import check_orientation
from oarflow.settings_files import explain

FORM = "nnU-Net v2"

RAS_READERS = ("NibabelIOWithReorient", "SimpleITKIOWithReorient")
"""Readers that turn every image to RAS."""


def convert(
    folder: ResultFolder, statement: Statement, contours: Sequence[OrganLabels]
) -> tuple[bytes, ImportedCard]:
    """The content of model.ts and its card. Raises NotImportedError."""
    _check_reader(folder, statement.orientation)
    plans, labels = folder.configured, folder.labels
    networks = {
        name: load_network(checkpoint, plans.architecture, labels.heads)
        for name, checkpoint in folder.folds.items()
    }
    content = torchscript(networks, plans.patch)
    flat = len(plans.patch) == 2
    first = next(iter(networks.values()))
    try:
        card = ImportedCard(
            name=f"imported/{statement.name}",
            version="1.0.0",
            sha256=sha256(content),
            architecture=plans.architecture.words,
            parameters=sum(parameter.numel() for parameter in first.parameters()),
            folds=tuple(networks),
            dimensions=2 if flat else 3,
            orientation=statement.orientation,
            transpose=plans.transpose,
            normalization=plans.normalization,
            spacing_mm=(0.0, *plans.spacing_mm) if flat else plans.spacing_mm,  # type: ignore[arg-type]
            image_resampling=plans.image_resampling,
            logits_resampling=plans.logits_resampling,
            patch=(1, *plans.patch) if flat else plans.patch,  # type: ignore[arg-type]
            mirror_axes=tuple(axis + flat for axis in folder.first.mirror_axes),
            heads=labels.heads,
            regions=labels.regions,
            labels=labels.names,
            contours=tuple(contours),
            postprocessing=folder.postprocessing,
            crop=statement.crop,
            mode=statement.mode,
            source=NetworkSource(
                form=FORM,
                origin=_origin(folder),
                files=folder.files,
                folder=str(folder.path.resolve()),
                licence=statement.licence,
                commercial=statement.commercial,
            ),
        )
    except ValidationError as error:
        raise NotImportedError(f"no card can be made: {explain(error, ImportedCard)}") from None
    return content, card


def _check_reader(folder: ResultFolder, orientation: str) -> None:
    try:
        check_orientation(orientation)
    except ValueError as error:
        raise NotImportedError(str(error)) from None
    if folder.reader in RAS_READERS and orientation != "RAS":
        raise NotImportedError(
            f"the network's image reader {folder.reader} turns images to RAS,"
            f" which contradicts --orientation {orientation}"
        )


def _origin(folder: ResultFolder) -> str:
    plans = folder.configured
    name = folder.labels.name or folder.path.resolve().parent.name
    return f"{name}, {folder.first.trainer}, {plans.plans}, {plans.name}"
