"""Two probability fields on one CT: what they have in common."""

from __future__ import annotations

import numpy as np

from oarflow.structures import ProbabilityField


def shared_voxels(one: ProbabilityField, other: ProbabilityField) -> int:
    """How many voxels both masks hold."""
    both = common_part(one, other)
    if both is None:
        return 0
    mine, theirs = both
    taken = (one.values[mine] >= one.threshold) & (other.values[theirs] >= other.threshold)
    return int(np.count_nonzero(taken))


def dice_of(one: ProbabilityField, other: ProbabilityField) -> float:
    """Dice of two fields' masks, of which at least one holds a voxel."""
    total = int(np.count_nonzero(one.mask)) + int(np.count_nonzero(other.mask))
    return 2 * shared_voxels(one, other) / total


def common_part(
    one: ProbabilityField, other: ProbabilityField
) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
    """The part that both fields cover, in the indices of each; None where they do not meet."""
    mine, theirs = [], []
    for a, b in zip(one.box, other.box, strict=True):
        low, high = max(a.start, b.start), min(a.stop, b.stop)
        if low >= high:
            return None
        mine.append(slice(low - a.start, high - a.start))
        theirs.append(slice(low - b.start, high - b.start))
    return tuple(mine), tuple(theirs)
