"""Overlap of two masks, counted in voxels.

A mask is bool (z, y, x). For two empty masks, Dice, IoU, precision and recall are 1. If one of both
is empty, Dice and IoU are 0. Precision is 0 for an empty mask, recall for an empty reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oarflow.masks import dice_of_sizes
from oarflow.types import Mask


@dataclass(frozen=True)
class Overlap:
    """Numbers of voxels in a mask, in a reference and in both."""

    mask: int
    reference: int
    both: int

    @property
    def dice(self) -> float:
        return dice_of_sizes(self.both, self.mask, self.reference)

    @property
    def iou(self) -> float:
        return share(self.both, self.mask + self.reference - self.both)

    @property
    def precision(self) -> float:
        """Share of the mask that is in the reference."""
        return share(self.both, self.mask) if self.mask else float(self.reference == 0)

    @property
    def recall(self) -> float:
        """Share of the reference that is in the mask."""
        return share(self.both, self.reference) if self.reference else float(self.mask == 0)


def overlap(mask: Mask, reference: Mask) -> Overlap:
    """Count voxels. Raises ValueError where the masks are not bool or differ in shape."""
    require_alike(mask, reference)
    return Overlap(
        int(np.count_nonzero(mask)),
        int(np.count_nonzero(reference)),
        int(np.count_nonzero(mask & reference)),
    )


def dice(mask: Mask, reference: Mask) -> float:
    """Dice coefficient, 0 to 1."""
    return overlap(mask, reference).dice


def within_slices(mask: Mask, reference: Mask) -> tuple[Mask, Mask]:
    """Both masks on the slices from the reference's first to its last; empty where it is empty."""
    planes = np.flatnonzero(reference.any(axis=(1, 2)))
    kept = slice(int(planes[0]), int(planes[-1]) + 1) if len(planes) else slice(0, 0)
    return mask[kept], reference[kept]


def share(part: float, whole: float) -> float:
    """The ratio of a part to a whole; 1 if the whole is 0."""
    return float(part / whole) if whole else 1.0


def require_alike(mask: Mask, reference: Mask) -> None:
    """Raises ValueError where the masks are not bool or differ in shape."""
    if mask.dtype != np.bool_ or reference.dtype != np.bool_:
        raise ValueError(f"masks must be bool, not {mask.dtype} and {reference.dtype}")
    if mask.shape != reference.shape:
        raise ValueError(f"masks differ in shape: {mask.shape} and {reference.shape}")
