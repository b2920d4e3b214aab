"""Dice of a network's contour with its reference: a clinic's contour, or a derived label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import DerivedLabels, read_labels
from oarflow.evaluation.limits.references import openkbp_split
from oarflow.structures import Segmentation
from oarflow.types import Mask

KNOWN_SHARE = 0.9
"""Least share of a contour on the slices that a derived label covers. Below it there is no Dice:
in a CT that was cut to a region, networks contour wrongly beyond the region."""


def dice_with_reference(case: Case, item: Segmentation) -> float | None:
    """Dice with the reference, None where there is none."""
    if item.organ not in case.masks or (item.organ, case.id) in openkbp_split().excluded:
        return None
    drawn = case.masks[item.organ]
    if not drawn.any():
        return None
    return dice_with_mask(drawn, item)


def dice_with_mask(drawn: Mask, item: Segmentation) -> float:
    """Dice with a mask (z, y, x) on the contour's own grid; 0 without a contour."""
    return 0.0 if item.field is None else dice(item.field.full_mask(drawn.shape), drawn)


def derived_labels(case: Case, folder: Path | None) -> DerivedLabels:
    """A case's derived labels on the slices that `published` keeps; none where it has none.

    folder: of `<case>.npz`; None for no labels at all.
    """
    path = None if folder is None else folder / f"{case.id}.npz"
    if path is None or not path.is_file():
        return DerivedLabels({}, (0, -1))
    labels = read_labels(path)
    if case.body is None or not case.body.any():
        return labels
    planes = np.flatnonzero(case.body.any(axis=(1, 2)))
    first, last = int(planes[0]), int(planes[-1])
    masks = {organ: mask[first : last + 1] for organ, mask in labels.masks.items()}
    return DerivedLabels(masks, (labels.slices[0] - first, labels.slices[1] - first))


def dice_with_label(labels: DerivedLabels, item: Segmentation) -> float | None:
    """Dice with the derived label, on the slices that the label covers.

    None without a label, and where more of the contour lies elsewhere than can be let pass.
    """
    drawn = labels.masks.get(item.organ)
    if drawn is None or not drawn.any():
        return None
    if item.field is None:
        return 0.0
    known = slice(max(labels.slices[0], 0), labels.slices[1] + 1)
    mask = item.field.full_mask(drawn.shape)
    if np.count_nonzero(mask[known]) < KNOWN_SHARE * np.count_nonzero(mask):
        return None
    return dice(mask[known], drawn[known])
