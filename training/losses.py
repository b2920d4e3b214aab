"""Losses on partly labelled batches.

All take logits (n, organs, ...), one more channel first under softmax, targets (n, organs, ...) of
0 to 1 (shares are allowed) and known (n, organs): what is not labelled counts for nothing. Under
softmax a sample's unlabelled organs are left out of its classes, so that their logits get no
gradient from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from monai.losses.focal_loss import FocalLoss
from scipy import ndimage
from torch import Tensor

from training.configuration import Configuration

SMOOTH = 1.0
FOCUS = 2.0
"""Exponent of the focal loss (RESU, section 4.2.2)."""

LEFT_OUT = -1e4
"""Logit of a class that a sample does not know: its probability is zero."""

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]


def dice_and_cross_entropy(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Soft Dice over the batch plus binary cross-entropy, a mean over organs; sigmoid only."""
    weight = _spread(known, logits)
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


def dice(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Soft Dice over the batch, a mean over the labelled organs (SLICE; RESU, section 4.2.2)."""
    weight = _spread(known, logits)
    axes = [0, *range(2, logits.ndim)]
    probabilities = organ_probabilities(logits, known) * weight
    shares = targets * weight
    overlap = (probabilities * shares).sum(axes)
    total = probabilities.sum(axes) + shares.sum(axes)
    labelled = known.any(dim=0)
    loss = (1 - (2 * overlap + SMOOTH) / (total + SMOOTH)) * labelled
    return loss.sum() / labelled.sum().clamp_min(1)


def focal(logits: Tensor, targets: Tensor, known: Tensor, focus: float = FOCUS) -> Tensor:
    """Cross-entropy with easy voxels weighed down by (1 - p) ** focus, a mean over voxels."""
    if _exclusive(logits, known):
        term = FocalLoss(gamma=focus, use_softmax=True, reduction="none")
        each = term(_known_logits(logits, known), _classes(targets, known))
        return each.sum(dim=1).mean()  # type: ignore[no-any-return]
    weight = _spread(known, logits)
    each = FocalLoss(gamma=focus, reduction="none")(logits, targets) * weight
    return each.sum() / (weight * torch.ones_like(each)).sum().clamp_min(1.0)  # type: ignore[no-any-return]


def cross_entropy(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy, a mean over voxels."""
    return focal(logits, targets, known, focus=0.0)


def boundary(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Mean of each labelled organ's probabilities times its signed distance map, in voxels."""
    weight = _spread(known, logits)
    each = organ_probabilities(logits, known) * distance_maps(targets).to(logits) * weight
    return each.sum() / (weight * torch.ones_like(each)).sum().clamp_min(1.0)


def distance_maps(targets: Tensor) -> Tensor:
    """Distance in voxels to the organ outside it, minus that to its outside within it.

    targets: (n, organs, ...). An organ that is not in a sample has no boundary: its map is zero.
    """
    masks = targets.detach().cpu().numpy() >= 0.5
    maps = np.zeros(masks.shape, dtype=np.float32)
    for place in np.ndindex(masks.shape[:2]):
        mask = masks[place]
        if mask.any():
            outside = ndimage.distance_transform_edt(~mask)
            maps[place] = outside - ndimage.distance_transform_edt(mask)
    return torch.from_numpy(maps)


def organ_probabilities(logits: Tensor, known: Tensor) -> Tensor:
    """(n, organs, ...): sigmoid, or the organs' part of softmax where there is one more channel."""
    if _exclusive(logits, known):
        return torch.softmax(_known_logits(logits, known), dim=1)[:, 1:]
    return torch.sigmoid(logits)


LOSSES: Mapping[str, Objective] = {
    "dice_and_cross_entropy": dice_and_cross_entropy,
    "dice": dice,
    "cross_entropy": cross_entropy,
    "focal": focal,
    "boundary": boundary,
}
"""By the names that a configuration's `losses` weighs."""


def objective(configuration: Configuration) -> Objective:
    """The weighted sum that a configuration asks for.

    Raises ValueError for a loss that is unknown or does not go with the activation.
    """
    unknown = sorted(set(configuration.losses) - set(LOSSES))
    if unknown:
        raise ValueError(f"no loss {unknown[0]!r}; there are: {', '.join(LOSSES)}")
    if configuration.activation == "softmax" and "dice_and_cross_entropy" in configuration.losses:
        raise ValueError("dice_and_cross_entropy is for sigmoid; use dice and cross_entropy")

    def weighted(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        terms = [
            weight * LOSSES[name](logits, targets, known)
            for name, weight in configuration.losses.items()
        ]
        return torch.stack(terms).sum()

    return weighted


def _spread(known: Tensor, like: Tensor) -> Tensor:
    return known.reshape(*known.shape, *([1] * (like.ndim - 2))).to(like.dtype)


def _exclusive(logits: Tensor, known: Tensor) -> bool:
    return logits.shape[1] == known.shape[1] + 1


def _known_logits(logits: Tensor, known: Tensor) -> Tensor:
    nothing = torch.ones_like(known[:, :1])
    classes = torch.cat((nothing, known), dim=1)
    return logits.masked_fill(_spread(classes, logits) == 0, LEFT_OUT)


def _classes(targets: Tensor, known: Tensor) -> Tensor:
    """Targets with what is none of the labelled organs before them."""
    organs = targets * _spread(known, targets)
    return torch.cat(((1 - organs.sum(dim=1, keepdim=True)).clamp_min(0), organs), dim=1)
