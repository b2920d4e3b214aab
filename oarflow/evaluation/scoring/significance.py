"""Paired tests and their correction for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

ALPHA = 0.05
"""Level below which a corrected p counts as a difference."""


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon's signed-rank test of first minus second, two-sided.

    sign: 1 where the first's ranks outweigh, -1 where the second's do, 0 where neither's. n: pairs
    that differ.
    """

    p: float
    sign: int
    n: int


def wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test pairs of values; equal pairs are left out (Wilcoxon's own way). p is 1 where all are.

    Raises ValueError where the two differ in length or hold what is no number.
    """
    one, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if one.shape != other.shape or not (np.isfinite(one) & np.isfinite(other)).all():
        raise ValueError("pairs of finite values are needed")
    difference = one - other
    difference = difference[difference != 0]
    if not len(difference):
        return PairedTest(1.0, 0, 0)
    ranks = stats.rankdata(np.abs(difference))
    weight = float(ranks[difference > 0].sum() - ranks[difference < 0].sum())
    found = stats.wilcoxon(difference)
    return PairedTest(float(found.pvalue), int(np.sign(weight)), len(difference))


def bonferroni(p: float, tests: int) -> float:
    """A p of one of so many tests, corrected."""
    return min(1.0, p * tests)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    order = np.argsort(ps, kind="stable")
    corrected = [0.0] * len(ps)
    greatest = 0.0
    for place, k in enumerate(order):
        greatest = max(greatest, min(1.0, (len(ps) - place) * float(ps[k])))
        corrected[int(k)] = greatest
    return corrected
