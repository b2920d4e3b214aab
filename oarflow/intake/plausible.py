"""Checks whether voxel values can be Hounsfield units of a patient."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Code, Finding
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
    MIN_TISSUE_OF_KNOWN,
    MIN_TISSUE_OF_NEIGHBOURS,
    PEAK_BLUR_HU,
    PEAK_SHARE,
    PEAKS_HU,
    SOFT_PEAK_HU,
    TISSUE_HU,
)
from oarflow.types import FloatArray, FloatVoxels

_STRIDE = 2
_BIN_HU = 10


def judge_hu(hu: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Findings (IMPLAUSIBLE_HU) against a volume (z, y, x) in HU, -1024 where there is no value.

    The volume must show air and soft tissue, blank slices may occur only next to slices with little
    tissue, and neighbouring slices must be similar. Metal, contrast medium and masked background
    are accepted.
    """
    sample = hu[:, ::_STRIDE, ::_STRIDE]
    blank = np.array([plane.max() == plane.min() for plane in sample])
    if blank.all():
        return (Finding(Code.IMPLAUSIBLE_HU, "every slice has a single value"),)
    filled = np.flatnonzero(~blank)
    reasons = []
    grey = int((sample[blank, 0, 0] > BLANK_SLICE_HU).sum())
    if grey:
        reasons.append(f"{grey} slices have a single value that is not air")
    body = sample[filled[0] : filled[-1] + 1]
    reasons += _whole(body) + _slices(body, filled - filled[0])
    return tuple(Finding(Code.IMPLAUSIBLE_HU, reason) for reason in reasons)


def _whole(body: FloatVoxels) -> list[str]:
    """Reasons against the volume as a whole."""
    reasons = []
    thin = sum(int(np.count_nonzero(plane < AIR_BELOW_HU)) for plane in body)
    unknown = sum(int(np.count_nonzero(plane <= AIR_HU)) for plane in body)
    dense = sum(int(np.count_nonzero(plane > DENSE_HU)) for plane in body)
    known = max(1, body.size - unknown)
    padded = thin - unknown < MIN_AIR_FRACTION * known and dense > MAX_DENSE_FRACTION * known
    if thin < MIN_AIR_FRACTION * body.size or padded:
        reasons.append("no voxels have HU of air")
    tissue = float(_tissue(body).sum()) * body[0].size
    if tissue < MIN_TISSUE_FRACTION * body.size and tissue < MIN_TISSUE_OF_KNOWN * known:
        reasons.append("no voxels have HU of soft tissue")
    low, high = SOFT_PEAK_HU
    peak = soft_peak(body)
    if peak is not None and not low <= peak <= high:
        reasons.append(f"soft tissue is at about {peak:.0f} HU instead of {low:g} to {high:g} HU")
    return reasons


def soft_peak(hu: FloatVoxels) -> float | None:
    """The typical HU of muscle and brain; None where hardly any voxel is like a body.

    The histogram between lung and dense bone has two main peaks, of fat and of soft tissue. The
    upper one is soft tissue, also in obese patients.
    """
    low, high = PEAKS_HU
    counts = np.zeros(round((high - low) / _BIN_HU))
    for plane in hu:
        counts += np.histogram(plane, bins=len(counts), range=(low, high))[0]
    if counts.sum() < MIN_TISSUE_FRACTION * hu.size:
        return None
    from scipy import ndimage  # takes a third of a second

    smooth = ndimage.gaussian_filter1d(counts, PEAK_BLUR_HU / _BIN_HU, mode="constant")
    inner = smooth[1:-1]
    peaks = (inner >= smooth[:-2]) & (inner > smooth[2:]) & (inner >= PEAK_SHARE * smooth.max())
    at = 1 + int(np.flatnonzero(peaks)[-1]) if peaks.any() else int(smooth.argmax())
    return low + (at + 0.5) * _BIN_HU


def _slices(body: FloatVoxels, filled: NDArray[np.intp]) -> list[str]:
    """Reasons against single slices, from a comparison with their nearest filled neighbours."""
    reasons = []
    jumps = [float(np.median(np.abs(above - below))) for below, above in pairwise(body)]
    leaps = sum(jump > MAX_JUMP_HU for jump in jumps)
    if leaps:
        reasons.append(f"{leaps} pairs of neighbouring slices differ in most voxels")
    tissue = _tissue(body)
    inside = np.arange(1, len(body) - 1)
    below = tissue[filled[np.searchsorted(filled, inside) - 1]]
    above = tissue[filled[np.searchsorted(filled, inside, side="right")]]
    around = np.minimum(below, above)
    lost = (tissue[inside] < MIN_TISSUE_OF_NEIGHBOURS * around) & (around > JUDGED_TISSUE_FRACTION)
    if lost.any():
        reasons.append(f"{int(lost.sum())} slices lack the soft tissue of their neighbours")
    return reasons


def _tissue(body: FloatVoxels) -> FloatArray:
    """(n,) share of each slice with HU of soft tissue."""
    low, high = TISSUE_HU
    return np.array([float(np.mean((plane > low) & (plane < high))) for plane in body])
