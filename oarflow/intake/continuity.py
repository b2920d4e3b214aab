"""Checks that the images of neighbouring slices fit together.

A header states a slice's position. Only a comparison with its neighbours shows whether the image
belongs to that header.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Code, Finding
from oarflow.intake.limits import (
    AIR_AROUND,
    AIR_HU,
    COMPARED_FRACTION,
    COMPARED_HU,
    COMPARED_SIDE,
    JUMP_FLOOR_HU,
    JUMP_REACH,
    MAX_EXCHANGED,
    MAX_FLIPPED,
    MAX_JUMP_RATIO,
    MAX_LOST,
    MAX_UNLIKE,
    NOTED_EXCHANGED,
    NOTED_LOST,
    NOTED_UNLIKE,
    THIN_AIR_HU,
    THIN_STEP_MM,
    TISSUE_HU,
)
from oarflow.intake.order import Exchange, worst_exchange
from oarflow.types import FloatArray, FloatVoxels

_BACK = slice(None, None, -1)
_FLIPS = ((slice(None), _BACK), (_BACK, slice(None)), (_BACK, _BACK))


@dataclass(frozen=True, eq=False)
class Continuity:
    """Continuity of n filled slices. Figures are 0 where too few voxels can be compared.

    unlike (n-2): the smaller difference of an inner slice from its neighbours, divided by the
        difference between these neighbours.
    lost (n-2): share of both neighbours' tissue where an inner slice has no value.
    jumps (n-1): difference of neighbours, divided by the median of the differences around it and
        the relative step.
    flipped (n-1): difference of neighbours, divided by the least difference after mirroring the
        upper slice.
    exchange: the two runs of slices that would fit better in exchanged places.
    """

    unlike: FloatArray
    lost: FloatArray
    jumps: FloatArray
    flipped: FloatArray
    exchange: Exchange


def judge_continuity(
    hu: FloatVoxels, offsets_mm: FloatArray
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Findings against slices of a volume (z, y, x), and remarks on less certain defects.

    offsets_mm: (z) positions of the slices along their normal, ascending. Slices with a single
    value are skipped. Findings: DUPLICATE_CONFLICT, DISCONTINUOUS_SLICES.
    """
    filled = np.flatnonzero([plane.max() > plane.min() for plane in hu])
    findings = []
    repeated = _repeated(hu, filled)
    if repeated:
        findings.append(
            Finding(Code.DUPLICATE_CONFLICT, f"{repeated} slices repeat the image of another slice")
        )
    if len(filled) < 2:
        return tuple(findings), ()
    steps = np.diff(np.asarray(offsets_mm, dtype=float)[filled])
    found = measure(hu, filled, steps)
    thick = steps > THIN_STEP_MM
    findings += [
        Finding(Code.DISCONTINUOUS_SLICES, words)
        for words in _reasons_against(found, thick, masked=_masked(hu))
    ]
    return tuple(findings), tuple(_remarks(found, thick))


def _reasons_against(found: Continuity, thick: NDArray[np.bool_], *, masked: bool) -> Iterator[str]:
    around = thick[1:] | thick[:-1]
    reasons = (
        (found.unlike > _limits(MAX_UNLIKE, around), "unlike both neighbours"),
        (found.flipped > _limits(MAX_FLIPPED, thick), "followed by a mirrored slice"),
        (found.jumps > _limits(MAX_JUMP_RATIO, thick), "followed by a slice from another place"),
        ((found.lost > MAX_LOST) & (not masked), "empty where both neighbours show tissue"),
    )
    for held, words in reasons:
        if held.any():
            yield f"{int(held.sum())} slices are {words}"
    if found.exchange.ratio > MAX_EXCHANGED[found.exchange.touches(thick)]:
        yield f"{found.exchange.words} fit better in exchanged places"


def _remarks(found: Continuity, thick: NDArray[np.bool_]) -> Iterator[str]:
    thin = ~(thick[1:] | thick[:-1])
    remarks = (
        ((found.unlike > NOTED_UNLIKE) & thin, "differ unusually from both neighbours"),
        (found.lost > NOTED_LOST, "have no values where both neighbours show tissue"),
    )
    for held, words in remarks:
        if held.any():
            yield f"{int(held.sum())} slices {words}"
    if found.exchange.ratio > NOTED_EXCHANGED and not found.exchange.touches(thick):
        yield f"{found.exchange.words} fit about as well in exchanged places"


def _limits(pair: tuple[float, float], thick: NDArray[np.bool_]) -> FloatArray:
    return np.where(thick, pair[1], pair[0])


def _repeated(hu: FloatVoxels, filled: Sequence[int] | NDArray[np.intp]) -> int:
    """The number of filled slices that are identical to an earlier slice."""
    images = Counter(hashlib.sha256(np.ascontiguousarray(hu[k]).data).digest() for k in filled)
    return sum(count - 1 for count in images.values())


def _masked(hu: FloatVoxels) -> bool:
    """Whether the surroundings of the patient were masked, so that no air is left."""
    sample = hu[:, ::4, ::4]
    return float(np.mean((sample > AIR_HU) & (sample < THIN_AIR_HU))) < AIR_AROUND


def measure(hu: FloatVoxels, filled: NDArray[np.intp], steps_mm: FloatArray) -> Continuity:
    """Compare neighbouring filled slices where both have values. steps_mm: distances between."""
    stride = tuple(max(1, side // COMPARED_SIDE) for side in hu.shape[1:])
    sample = hu[:, :: stride[0], :: stride[1]][filled]
    known = sample > AIR_HU
    values = np.clip(sample, *COMPARED_HU)
    least = COMPARED_FRACTION * values[0].size
    count = len(filled)
    inner = range(1, count - 1)
    return Continuity(
        np.array([_unlike_neighbours(values, known, k, least) for k in inner]),
        np.array([_missing_tissue(sample, known, k, least) for k in inner]),
        _jumps(np.array([_step(values, known, k, least) for k in range(count - 1)]), steps_mm),
        np.array([_flipped(values, known, k, least) for k in range(count - 1)]),
        worst_exchange(values, known, least),
    )


def _difference(first: FloatVoxels, second: FloatVoxels, where: NDArray[np.bool_]) -> float:
    return float(np.abs(first - second)[where].mean())


def _unlike_neighbours(
    values: FloatVoxels, known: NDArray[np.bool_], k: int, least: float
) -> float:
    where = known[k - 1] & known[k] & known[k + 1]
    if where.sum() < least:
        return 0.0
    below, here, above = values[k - 1 : k + 2]
    nearer = min(_difference(below, here, where), _difference(here, above, where))
    return nearer / max(_difference(below, above, where), JUMP_FLOOR_HU)


def _missing_tissue(sample: FloatVoxels, known: NDArray[np.bool_], k: int, least: float) -> float:
    tissue = (sample[k - 1] > TISSUE_HU[0]) & (sample[k + 1] > TISSUE_HU[0])
    return float(np.mean(~known[k][tissue])) if tissue.sum() >= least else 0.0


def _step(values: FloatVoxels, known: NDArray[np.bool_], k: int, least: float) -> float:
    where = known[k] & known[k + 1]
    return _difference(values[k], values[k + 1], where) if where.sum() >= least else 0.0


def _flipped(values: FloatVoxels, known: NDArray[np.bool_], k: int, least: float) -> float:
    where = known[k] & known[k + 1]
    if where.sum() < least:
        return 0.0
    best = np.inf
    for flip in _FLIPS:
        shared = known[k] & known[k + 1][flip]
        if 2 * shared.sum() >= where.sum():
            best = min(best, _difference(values[k], values[k + 1][flip], shared))
    return _difference(values[k], values[k + 1], where) / max(best, JUMP_FLOOR_HU)


def _jumps(differences: FloatArray, steps_mm: FloatArray) -> FloatArray:
    """Differences divided by the median around them; 0 at the scan's ends."""
    found = np.zeros(len(differences))
    for k in range(2, len(differences) - 2):
        near = [i for i in range(max(0, k - JUMP_REACH), k + JUMP_REACH + 1) if i != k]
        near = [i for i in near if i < len(differences) and differences[i] > 0]
        if len(near) < JUMP_REACH:
            continue
        longer = max(1.0, steps_mm[k] / float(np.median(steps_mm[near])))
        usual = max(float(np.median(differences[near])), JUMP_FLOOR_HU)
        found[k] = differences[k] / (usual * longer)
    return found
