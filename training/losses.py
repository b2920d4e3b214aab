"""Losses on partly labelled batches."""

from __future__ import annotations

import torch
from torch import Tensor

SMOOTH = 1.0


def dice_and_cross_entropy(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Soft Dice over the batch plus binary cross-entropy, a mean over organs.

    logits, targets: (n, organs, ...), targets 0 to 1 (shares are allowed). known: (n, organs):
    what is not labelled counts for neither.
    """
    weight = known.reshape(*known.shape, *([1] * (logits.ndim - 2))).to(logits.dtype)
    axes = [0, *range(2, logits.ndim)]
    voxels = (weight * torch.ones_like(targets)).sum(axes).clamp_min(1.0)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, reduction="none"
    )
    entropy = (entropy * weight).sum(axes) / voxels
    probabilities = torch.sigmoid(logits) * weight
    shares = targets * weight
    overlap = (probabilities * shares).sum(axes)
    total = (probabilities**2).sum(axes) + (shares**2).sum(axes)
    dice = 1 - (2 * overlap + SMOOTH) / (total + SMOOTH)
    labelled = known.any(dim=0)
    loss = (dice + entropy) * labelled
    return loss.sum() / labelled.sum().clamp_min(1)
