"""Small configurations of the papers' kinds of networks."""

from __future__ import annotations

from typing import Any

from oarflow.training.configuration import Configuration
from tests.oarflow.training.patients import ORGANS, small

EVERYTHING: dict[str, Any] = {
    "name": "both",
    "organs": list(ORGANS),
    "architecture": "unet",
    "activation": "softmax",
    "sampling": "whole_slices",
    "augmentation": "deformation",
    "region": "slice",
    "normalize": True,
    "offsets_mm": [0],
    "patch_mm": [0, 192, 192],
    "losses": {"focal": 1, "dice": 1, "boundary": 0.01},
    "mixup": "weighted",
    "optimizer": "adam",
    "schedule": "plateau",
    "patience": 1,
    "validate_every": 2,
    "keep": "best",
    "average": 0,
    "blocks": [],
    "steps": 8,
    "batch": 2,
}


ENCODER: dict[str, Any] = {
    "architecture": "encoder_unet",
    "backbone": "seresnet34",
    "widths": [4, 4, 4, 8, 8],
    "decoder_widths": [8, 4, 4, 4, 4],
    "blocks": [],
    "sampling": "labelled_slices",
    "augmentation": "none",
    "losses": {"dice": 1},
    "encoder_dropout": 0.5,
    "decoder_dropout": 0.2,
    "offsets_mm": [0],
    "patch_mm": [0, 128, 128],
    "steps": 4,
}


def view(name: str, **changes: object) -> Configuration:
    patch = {"axial": [0, 96, 96], "coronal": [96, 0, 96], "sagittal": [96, 96, 0]}[name]
    values: dict[str, object] = {
        "name": f"view_{name}",
        "role": "coarse view",
        "view": name,
        "organs": list(ORGANS),
        "offsets_mm": [0],
        "patch_mm": patch,
        "spacing_mm": [6, 6, 6],
        "architecture": "se_unet",
        "blocks": [],
        "activation": "softmax",
        "losses": {"weighted_cross_entropy": 1.0},
        "steps": 3,
    }
    return small(**(values | changes))


def region(**changes: object) -> Configuration:
    values: dict[str, object] = {
        "name": "region",
        "dimensions": 3,
        "organs": ["Mandible_Ramus_L", "Mandible_Ramus_R"],
        "labels": {"Mandible_Ramus_L": "Parotid_R", "Mandible_Ramus_R": "Parotid_R"},
        "images": ["ct", "side"],
        "region": "organ",
        "source": "Parotid_L",
        "grow_mm": 17,
        "patch_mm": [48, 64, 64],
        "spacing_mm": [4, 4, 4],
        "architecture": "dyn_unet",
        "widths": [4, 8, 8],
        "blocks": [],
        "optimizer": "sgd",
        "schedule": "polynomial",
        "batch": 2,
        "steps": 2,
    }
    return small(**(values | changes))


NETWORK = {
    "name": "Parotid_L",
    "role": "segmenter",
    "organs": ["Parotid_L"],
    "dimensions": 2,
    "offsets_mm": [0],
    "window": [-250, 250],
    "patch_mm": [0, 64, 64],
    "spacing_mm": [0, 4, 4],
    "widths": [4, 8],
    "blocks": [1, 1],
    "steps": 2,
    "batch": 2,
}
