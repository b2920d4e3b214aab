"""Two made-up patients whose organs are a bright and a dark ball, to train on in seconds."""

from __future__ import annotations

import numpy as np

from oarflow.training.configuration import Configuration
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.labels import Labels

ORGANS = ("Parotid_L", "Parotid_R")


def patient(number: int, organs: tuple[str, ...] = ORGANS) -> TrainingCase:
    """A body of water in air, with a bright ball on the left and a dark one on the right."""
    random = np.random.default_rng(number)
    shape, spacing = (32, 40, 48), np.array([3.0, 4.0, 4.0])
    axes = [np.arange(n) * step for n, step in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    ct = np.where(np.hypot(y - 78, (x - 94) * 0.8) < 70, 0.0, -1024.0)
    masks = {}
    for organ, side, level in (("Parotid_L", 1, 150), ("Parotid_R", -1, -150)):
        centre = np.array([48, 78, 94 + side * 45]) + random.normal(0, 4, 3)
        ball = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2) < 15
        ct[ball] = level
        if organ in organs:
            masks[organ] = ball
    return TrainingCase(f"pt_{number}", ct.astype(np.int16), spacing, Labels(masks))


def small(**changes: object) -> Configuration:
    """A configuration that trains in seconds."""
    values: dict[str, object] = {
        "name": "Parotid_L",
        "role": "segmenter",
        "organs": ["Parotid_L"],
        "dimensions": 2,
        "offsets_mm": [-3, 0, 3],
        "window": [-250, 250],
        "patch_mm": [0, 96, 96],
        "spacing_mm": [0, 4, 4],
        "jitter_mm": [3, 3, 3],
        "widths": [4, 8, 8],
        "blocks": [1, 1, 1],
        "steps": 20,
        "batch": 4,
        "average": 0.9,
    }
    return Configuration.model_validate(values | changes)


PARTLY_LABELLED = [patient(1), patient(2, organs=("Parotid_R",)), patient(3)]
