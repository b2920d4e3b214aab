"""Whether voxel values can be Hounsfield units of a patient."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Code, Finding
from oarflow.intake.limits import (
    AIR_BELOW_HU,
    BLANK_SLICE_HU,
    MAX_JUMP_HU,
    MIN_AIR_FRACTION,
    MIN_TISSUE_FRACTION,
    TISSUE_HU,
)

_STRIDE = 2


def judge_hu(hu: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Findings (IMPLAUSIBLE_HU) against a volume (z, y, x) in HU.

    Air and soft tissue must be there, no slice inside the stack may be blank, and neighbouring
    slices must resemble each other. Metal, contrast and masked background pass.
    """
    sample = hu[:, ::_STRIDE, ::_STRIDE]
    blank = sample.max(axis=(1, 2)) == sample.min(axis=(1, 2))
    filled = np.flatnonzero(~blank)
    if not filled.size:
        return (Finding(Code.IMPLAUSIBLE_HU, "every slice is of one value"),)
    first, last = int(filled[0]), int(filled[-1])
    found = []
    ends = np.concatenate((sample[:first, 0, 0], sample[last + 1 :, 0, 0]))
    odd = int(blank[first:last].sum()) + int((ends > BLANK_SLICE_HU).sum())
    if odd:
        found.append(f"{odd} slices are of one value")
    body = sample[first : last + 1]
    if np.mean(body < AIR_BELOW_HU) < MIN_AIR_FRACTION:
        found.append("nothing is as thin as air")
    if np.mean((body > TISSUE_HU[0]) & (body < TISSUE_HU[1])) < MIN_TISSUE_FRACTION:
        found.append("nothing is like soft tissue")
    jumps = [float(np.median(np.abs(b - a))) for a, b in pairwise(body)]
    leaps = sum(jump > MAX_JUMP_HU for jump in jumps)
    if leaps:
        found.append(f"{leaps} pairs of neighbouring slices differ everywhere")
    return tuple(Finding(Code.IMPLAUSIBLE_HU, reason) for reason in found)
