"""Losses on partly labelled batches.

All take logits (n, organs, ...), one more channel first under softmax, targets (n, organs, ...) of
0 to 1 (shares are allowed) and known, (n, organs) or (n, organs, ...) where single voxels are not
labelled: what is not labelled counts for nothing. Under
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

from oarflow.training.configuration import Configuration

SMOOTH = 1.0
FOCUS = 2.0
"""Exponent of the focal loss (RESU, section 4.2.2)."""

RAREST = 1000.0
"""Greatest weight of a class in the weighted cross-entropy."""

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
    labelled = known.movedim(1, 0).flatten(1).any(dim=1)
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
    labelled = known.movedim(1, 0).flatten(1).any(dim=1)
    loss = (1 - (2 * overlap + SMOOTH) / (total + SMOOTH)) * labelled
    return loss.sum() / labelled.sum().clamp_min(1)


def focal(logits: Tensor, targets: Tensor, known: Tensor, focus: float = FOCUS) -> Tensor:
    """Cross-entropy with easy voxels weighed down by (1 - p) ** focus, a mean over voxels."""
    if _exclusive(logits, known):
        term = FocalLoss(gamma=focus, use_softmax=True, reduction="none")
        each = term(_known_logits(logits, known), _classes(targets, known))
        voxels = _known_voxels(known, targets) * torch.ones_like(each[:, :1])
        return each.sum() / voxels.sum().clamp_min(1.0)  # type: ignore[no-any-return]
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
    for index in np.ndindex(masks.shape[:2]):
        mask = masks[index]
        if mask.any():
            outside = ndimage.distance_transform_edt(~mask)
            maps[index] = outside - ndimage.distance_transform_edt(mask)
    return torch.from_numpy(maps)


def organ_probabilities(logits: Tensor, known: Tensor) -> Tensor:
    """(n, organs, ...): sigmoid, or the organs' part of softmax where there is one more channel."""
    if _exclusive(logits, known):
        return torch.softmax(_known_logits(logits, known), dim=1)[:, 1:]
    return torch.sigmoid(logits)


def weighted_cross_entropy(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy with each class weighed by its rarity in the batch (C2F, equations 1 and 2).

    A class of n of N voxels weighs (N - n) / n, at most RAREST, scaled so that the mean over voxels
    is 1. The paper's equation 2 counts predictions; labels are counted here, which do not move.
    """
    if _exclusive(logits, known):
        classes = _classes(targets, known)
        each = -torch.log_softmax(_known_logits(logits, known), dim=1).clamp_min(LEFT_OUT)
    else:
        classes = torch.cat((1 - targets, targets), dim=1)
        each = torch.nn.functional.softplus(torch.cat((logits, -logits), dim=1))
        classes = classes * _spread(torch.cat((known, known), dim=1), classes)
    axes = [0, *range(2, logits.ndim)]
    counts = classes.sum(axes)
    if _exclusive(logits, known):
        every = counts.sum()
    else:
        organs = logits.shape[1]
        every = (counts[:organs] + counts[organs:]).repeat(2)
    weights = ((every - counts) / counts.clamp_min(1.0)).clamp_max(RAREST)
    weights = weights.reshape(1, -1, *([1] * (logits.ndim - 2)))
    weighed = weights * classes
    return (weighed * each).sum() / weighed.sum().clamp_min(1e-6)


def generalized_dice(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Generalized Dice over the organs and what is none of them (C2F, equations 3 and 4).

    Each class weighs 1 / (its voxels in the batch) squared; classes without a voxel are left out.
    """
    weight = _spread(known, logits)
    organs = organ_probabilities(logits, known) * weight
    classes = _classes(targets, known)
    outside = (1 - organs.sum(1, keepdim=True)).clamp_min(0) * _known_voxels(known, targets)
    probabilities = torch.cat((outside, organs), dim=1)
    axes = [0, *range(2, logits.ndim)]
    counts = classes.sum(axes)
    rarity = torch.where(counts > 0, 1 / counts.clamp_min(1.0) ** 2, torch.zeros_like(counts))
    overlap = (rarity * (probabilities * classes).sum(axes)).sum()
    total = (rarity * (probabilities + classes).sum(axes)).sum()
    return 1 - 2 * overlap / total.clamp_min(1e-12)


LOSSES: Mapping[str, Objective] = {
    "dice_and_cross_entropy": dice_and_cross_entropy,
    "dice": dice,
    "cross_entropy": cross_entropy,
    "focal": focal,
    "boundary": boundary,
    "weighted_cross_entropy": weighted_cross_entropy,
    "generalized_dice": generalized_dice,
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

    def supervised(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Deep supervision: of heads (n, heads, organs, ...) each weighs half the one before."""
        if logits.ndim == targets.ndim:
            return weighted(logits, targets, known)
        shares = [0.5**number for number in range(logits.shape[1])]
        each = [weighted(head, targets, known) for head in logits.unbind(1)]
        return torch.stack([share * loss for share, loss in zip(shares, each, strict=True)]).sum()

    return supervised


def _spread(known: Tensor, like: Tensor) -> Tensor:
    return known.reshape(*known.shape, *([1] * (like.ndim - known.ndim))).to(like.dtype)


def _known_voxels(known: Tensor, like: Tensor) -> Tensor:
    """(n, 1, ...): 0 at voxels without any label, if `known` differs between voxels; else 1."""
    if known.ndim == 2:
        return torch.ones(1, 1, *([1] * (like.ndim - 2)), dtype=like.dtype, device=like.device)
    return known.any(dim=1, keepdim=True).to(like.dtype)


def _exclusive(logits: Tensor, known: Tensor) -> bool:
    return logits.shape[1] == known.shape[1] + 1


def _known_logits(logits: Tensor, known: Tensor) -> Tensor:
    nothing = torch.ones_like(known[:, :1])
    classes = torch.cat((nothing, known), dim=1)
    return logits.masked_fill(_spread(classes, logits) == 0, LEFT_OUT)


def _classes(targets: Tensor, known: Tensor) -> Tensor:
    """Targets with what is none of the labelled organs before them; 0 where nothing is known."""
    organs = targets * _spread(known, targets)
    outside = (1 - organs.sum(dim=1, keepdim=True)).clamp_min(0) * _known_voxels(known, targets)
    return torch.cat((outside, organs), dim=1)
