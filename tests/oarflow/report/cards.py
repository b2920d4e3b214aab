"""A model card with nothing in it but what a report reads."""

from __future__ import annotations

from oarflow.networks.card import Channel, InputRegion, ModelCard, Role, Training, Validation, View


def card(organs: tuple[str, ...], validation: Validation | None) -> ModelCard:
    """A segmenter of these organs."""
    return ModelCard(
        name="test/card",
        version="1.0.0",
        role=Role.SEGMENTER,
        organs=organs,
        dimensions=2,
        view=View.AXIAL,
        region_from=InputRegion(source="localization"),
        channels=(Channel(),),
        patch_mm=(0.0, 64.0, 64.0),
        spacing_mm=(0.0, 2.0, 2.0),
        smoothness_mm=(0.0, 0.0, 0.0),
        sha256="0" * 64,
        architecture="none",
        parameters=0,
        training=Training(data="none", cases=0, commit="none", steps=0, minutes=0.0),
        validation=validation,
    )
