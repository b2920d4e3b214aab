"""What the user states about a network that is imported."""

from __future__ import annotations

from dataclasses import dataclass, field

from oarflow.licences import Commercial
from oarflow.networks.imported.card import CropRule, InferenceMode


@dataclass(frozen=True)
class Statement:
    """What no file of a network says.

    name: of its folder in the models folder. orientation: of the training images, as on the card.
    crop, mode: where and how it runs.
    """

    name: str
    orientation: str
    licence: str = "unknown"
    commercial: Commercial = "unknown"
    crop: CropRule = field(default_factory=CropRule)
    mode: InferenceMode = "fast"
