"""Organs inside others: a cord in its canal, a brainstem in the brain, a lung in the lungs."""

from __future__ import annotations

import numpy as np

from oarflow.structures import ProbabilityField


def held_share(whole: ProbabilityField, part: ProbabilityField, planes: slice) -> float | None:
    """Share of a part inside its whole on these planes; None where the part has no voxel there.

    planes: start and stop are indices of the CT's slices.
    """
    first = part.offset[0]
    mask = part.mask
    mask[: max(0, planes.start - first)] = False
    mask[max(0, planes.stop - first) :] = False
    total = int(np.count_nonzero(mask))
    if not total:
        return None
    both = part.common_part(whole)
    if both is None:
        return 0.0
    mine, theirs = both
    return int(np.count_nonzero(mask[mine] & whole.mask[theirs])) / total
