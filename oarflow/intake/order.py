"""Checks whether two runs of slices are exchanged.

After an exchange of whole runs, most slices still have their own neighbours, so that no single
slice looks wrong. The borders of the runs fit better after exchanging them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.intake.limits import JUMP_FLOOR_HU, LONGEST_RUN
from oarflow.types import FloatArray

Values = NDArray[np.float32]
Known = NDArray[np.bool_]
Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class Exchange:
    """Two adjacent runs of slices that would fit better in exchanged places.

    ratio: difference at their three borders (before, between, after), divided by that after the
    exchange. first: index of the first run's first slice. counts: slices of the first and second
    run.
    """

    ratio: float
    first: int
    counts: tuple[int, int]

    @property
    def words(self) -> str:
        first, second = self.counts
        return f"adjacent runs of {first} and {second} slices"

    def touches(self, steps: NDArray[np.bool_]) -> bool:
        """Whether a step (n-1) into, within or out of the runs is marked."""
        end = self.first + sum(self.counts)
        return bool(steps[max(0, self.first - 1) : end].any())


NONE = Exchange(0.0, 0, (0, 0))


def worst_exchange(values: Values, known: Known, least: float) -> Exchange:
    """The two runs whose exchange would improve the fit most; `NONE` where none can be compared.

    values: float32 (n, y, x), sampled slices in their order. known: voxels with a value. least:
    number of common voxels for a comparison. Runs have up to `LONGEST_RUN` slices.
    """
    pairs = _differences(values, known, least)
    worst = NONE
    for found in sorted(_candidates(pairs), key=lambda one: -one.ratio):
        if found.ratio <= worst.ratio:
            break
        ratio = _ratio_where_all_have_values(values, known, least, found)
        if ratio > worst.ratio:
            worst = Exchange(ratio, found.first, found.counts)
    return worst


def _differences(values: Values, known: Known, least: float) -> FloatArray:
    """(n, n) mean difference of slices up to two runs apart; nan where not compared."""
    count = len(values)
    found = np.full((count, count), np.nan)
    for one in range(count):
        for other in range(one + 1, min(count, one + 2 * LONGEST_RUN + 1)):
            where = known[one] & known[other]
            if where.sum() >= least:
                difference = np.abs(values[one] - values[other])[where].mean()
                found[one, other] = found[other, one] = max(difference, JUMP_FLOOR_HU)
    return found


def _borders(first: int, second: int, end: int, count: int) -> tuple[Pairs, Pairs]:
    """Neighbours at the runs' borders, as they are and exchanged. count: of all slices."""
    now, then = [(second - 1, second)], [(end - 1, first)]
    if first > 0:
        now.append((first - 1, first))
        then.append((first - 1, second))
    if end < count:
        now.append((end - 1, end))
        then.append((second - 1, end))
    return now, then


def _candidates(pairs: FloatArray) -> Iterator[Exchange]:
    count = len(pairs)
    for first in range(count - 1):
        for one in range(1, min(LONGEST_RUN, count - 1 - first) + 1):
            for other in range(1, min(LONGEST_RUN, count - first - one) + 1):
                if one + other == count:
                    continue
                now, then = _borders(first, first + one, first + one + other, count)
                ratio = sum(pairs[pair] for pair in now) / sum(pairs[pair] for pair in then)
                if ratio > 0:
                    yield Exchange(float(ratio), first, (one, other))


def _ratio_where_all_have_values(
    values: Values, known: Known, least: float, found: Exchange
) -> float:
    """The exchange's ratio over the voxels that all its slices have; 0 where these are too few.

    Comparing pair by pair would compare different strips of a CT that was masked to strips.
    """
    second = found.first + found.counts[0]
    now, then = _borders(found.first, second, second + found.counts[1], len(values))
    where = known[sorted({number for pair in now for number in pair})].all(axis=0)
    if where.sum() < least:
        return 0.0
    total = [
        sum(
            max(float(np.abs(values[one] - values[other])[where].mean()), JUMP_FLOOR_HU)
            for one, other in borders
        )
        for borders in (now, then)
    ]
    return total[0] / total[1]
