"""Whether voxel values can be Hounsfield units of a patient."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Code, Finding
from oarflow.geometry import FloatArray
from oarflow.intake.limits import (
    AIR_BELOW_HU,
    AIR_HU,
    BLANK_SLICE_HU,
    DENSE_HU,
    JUDGED_TISSUE_FRACTION,
    MAX_DENSE_FRACTION,
    MAX_JUMP_HU,
    MIN_AIR_FRACTION,
    MIN_TISSUE_FRACTION,
    MIN_TISSUE_OF_NEIGHBOURS,
    TISSUE_HU,
)

_STRIDE = 2

Sample = NDArray[np.float32]


def judge_hu(hu: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Findings (IMPLAUSIBLE_HU) against a volume (z, y, x) in HU, -1024 where there is no value.

    Air and soft tissue must be there, no slice inside the stack may be blank, and neighbouring
    slices must resemble each other. Metal, contrast and masked background pass.
    """
    sample = hu[:, ::_STRIDE, ::_STRIDE]
    blank = sample.max(axis=(1, 2)) == sample.min(axis=(1, 2))
    filled = np.flatnonzero(~blank)
    if not filled.size:
        return (Finding(Code.IMPLAUSIBLE_HU, "every slice is of one value"),)
    first, last = int(filled[0]), int(filled[-1])
    reasons = []
    ends = np.concatenate((sample[:first, 0, 0], sample[last + 1 :, 0, 0]))
    odd = int(blank[first:last].sum()) + int((ends > BLANK_SLICE_HU).sum())
    if odd:
        reasons.append(f"{odd} slices are of one value")
    body = sample[first : last + 1]
    reasons += _whole(body) + _slices(body)
    return tuple(Finding(Code.IMPLAUSIBLE_HU, reason) for reason in reasons)


def _whole(body: Sample) -> list[str]:
    """Reasons against all voxels together."""
    reasons = []
    known = body[body > AIR_HU]
    thin = float(np.mean(body < AIR_BELOW_HU))
    known_thin = float(np.mean(known < AIR_BELOW_HU))
    dense = float(np.mean(known > DENSE_HU))
    if thin < MIN_AIR_FRACTION or (known_thin < MIN_AIR_FRACTION and dense > MAX_DENSE_FRACTION):
        reasons.append("nothing is as thin as air")
    if float(_tissue(body).mean()) < MIN_TISSUE_FRACTION:
        reasons.append("nothing is like soft tissue")
    return reasons


def _slices(body: Sample) -> list[str]:
    """Reasons against single slices, which their neighbours tell."""
    reasons = []
    jumps = [float(np.median(np.abs(above - below))) for below, above in pairwise(body)]
    leaps = sum(jump > MAX_JUMP_HU for jump in jumps)
    if leaps:
        reasons.append(f"{leaps} pairs of neighbouring slices differ everywhere")
    tissue = _tissue(body)
    around = np.minimum(tissue[:-2], tissue[2:])
    lost = (tissue[1:-1] < MIN_TISSUE_OF_NEIGHBOURS * around) & (around > JUDGED_TISSUE_FRACTION)
    if lost.any():
        reasons.append(f"{int(lost.sum())} slices lack the soft tissue of their neighbours")
    return reasons


def _tissue(body: Sample) -> FloatArray:
    """(n,) part of each slice that is like soft tissue."""
    like = (body > TISSUE_HU[0]) & (body < TISSUE_HU[1])
    return np.asarray(like.mean(axis=(1, 2)), dtype=np.float64)
