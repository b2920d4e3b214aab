"""A bundle as an OARflow network: the content of model.ts, and the card."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import ValidationError

from oarflow.importing.bundle.bundle import Bundle
from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import sha256, torchscript
from oarflow.importing.statement import Statement
from oarflow.networks.imported.card import (
    ImportedCard,
    IntensityNormalization,
    LargestComponent,
    NetworkSource,
    OrganLabels,
    SplineResampling,
)
from oarflow.settings_files import explain

FORM = "MONAI bundle"
FOLD = "0"

MONAI_AXES = (2, 1, 0)
"""MONAI's arrays run along x, y and z; those of cards along z, y and x."""


def convert(
    bundle: Bundle, statement: Statement, contours: Sequence[OrganLabels]
) -> tuple[bytes, ImportedCard]:
    """The content of model.ts and its card. Raises NotImportedError."""
    before, after = bundle.before, bundle.after
    assert before.spacing_mm is not None
    assert after.order is not None
    content = torchscript({FOLD: bundle.network}, bundle.tiles.patch)
    try:
        card = ImportedCard(
            name=f"imported/{statement.name}",
            version="1.0.0",
            sha256=sha256(content),
            architecture=_architecture(bundle),
            parameters=sum(parameter.numel() for parameter in bundle.network.parameters()),
            folds=(FOLD,),
            dimensions=3,
            orientation=statement.orientation,
            transpose=MONAI_AXES,
            normalization=before.normalization or IntensityNormalization(scheme="none"),
            spacing_mm=before.spacing_mm,
            image_resampling=SplineResampling(order=1, align="first"),
            logits_resampling=SplineResampling(order=after.order, align="first"),
            resampled=before.resampled,
            patch=bundle.tiles.patch,
            step=bundle.tiles.step,
            sliding_window=bundle.tiles.window,
            activation=after.activation if after.order else "none",
            heads=bundle.heads,
            regions=(1,) if after.kind == "threshold" else None,
            labels=bundle.facts.names(bundle.heads),
            contours=tuple(contours),
            postprocessing=_components(bundle),
            crop=statement.crop,
            mode=statement.mode,
            source=NetworkSource(
                form=FORM,
                origin=_origin(bundle),
                files=dict(bundle.files.digests),
                folder=str(bundle.files.folder.resolve()),
                licence=statement.licence,
                commercial=statement.commercial,
            ),
        )
    except ValidationError as error:
        raise NotImportedError(f"no card can be made: {explain(error, ImportedCard)}") from None
    return content, card


def _architecture(bundle: Bundle) -> str:
    network = bundle.network
    if isinstance(network, torch.jit.ScriptModule):
        return f"TorchScript {network.original_name}"[:80]
    return f"MONAI {type(network).__name__}"


def _components(bundle: Bundle) -> tuple[LargestComponent, ...]:
    """KeepLargestConnectedComponentd, for each label alone where it names none."""
    every = [(label,) for label in bundle.facts.names(bundle.heads)]
    listed = [rule for given in bundle.after.largest for rule in ([given] if given else every)]
    return tuple(LargestComponent(labels=labels) for labels in listed)


def _origin(bundle: Bundle) -> str:
    name = bundle.facts.name or bundle.files.folder.resolve().name
    return " ".join(word for word in (name, bundle.facts.version) if word)
