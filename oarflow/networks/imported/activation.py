"""Values of a network that return to the CT's grid: logits, or probabilities as MONAI does."""

from __future__ import annotations

import numpy as np
import torch

from oarflow.networks.imported.card import ImportedCard
from oarflow.types import FloatVoxels

REGION_LEVEL = 0.5
"""Probability from which a voxel belongs to a region."""

MOST_CERTAIN = 1 - 1e-6
"""Largest difference between probabilities before the logit. It keeps the logit finite."""


def activated(logits: torch.Tensor, card: ImportedCard) -> torch.Tensor:
    """The values (heads, z, y, x) that return to the CT; positive where a region of sigmoid is."""
    if card.activation == "softmax":
        return torch.softmax(logits.float(), dim=0)
    if card.activation == "sigmoid":
        return torch.sigmoid(logits.float()) - REGION_LEVEL
    return logits


def logit_margin(margin: FloatVoxels, card: ImportedCard) -> FloatVoxels:
    """Differences of values as differences of logits; they are 0 at the same places.

    For softmax, exact where only two labels are probable.
    """
    if card.activation == "none":
        return margin
    width = 1.0 if card.activation == "softmax" else REGION_LEVEL
    share = np.clip(margin / width, -MOST_CERTAIN, MOST_CERTAIN)
    return np.asarray(2 * np.arctanh(share), dtype=np.float32)
