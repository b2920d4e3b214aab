"""Methods ranked as the HaN-Seg challenge ranked them (HANSEG, "Evaluation metrics and ranking").

Over all cases and organs together, separately for DSC and HD95:
- an empty mask, or one that a method's file lacks, gets DSC 0 and the greatest HD95 that any method
  has for that organ in any case;
- every pair of methods is compared by Wilcoxon's signed-rank test, two-sided, with Bonferroni's
  correction for the number of pairs (the same as testing each order one-sided, corrected for twice
  as many tests);
- a method's significance score counts the methods that it is significantly better than; equal
  scores share a rank (1, 1, 3).
The final rank orders the sums of both ranks. Where sums are equal, a method goes before another
that it beats in one mean and is not worse than in the other; else they share the rank.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.evaluation.scoring.significance import ALPHA, bonferroni, wilcoxon
from oarflow.tables import text_table, write_csv

Key = tuple[str, str]
"""Case and organ."""

_DSC_COLUMNS = ("dsc", "dice")


@dataclass(frozen=True)
class RankedScore:
    """dsc 0 to 1, hd95_mm; inf where the mask is empty."""

    dsc: float
    hd95_mm: float


@dataclass(frozen=True)
class MetricRank:
    """A method's significance score and rank in one metric, and its mean."""

    score: int
    rank: int
    mean: float


@dataclass(frozen=True)
class Ranked:
    """One method. empty: its masks that were empty or missing."""

    method: str
    dsc: MetricRank
    hd95: MetricRank
    rank: int
    empty: int


@dataclass(frozen=True)
class Ranking:
    """Methods in order of their final rank. pairs: cases and organs that were compared.

    without_distance: of these, left out of HD95, because no method has one for the organ.
    """

    methods: tuple[Ranked, ...]
    pairs: int
    without_distance: int
    alpha: float


def read_method(path: Path) -> dict[Key, RankedScore]:
    """A file with the columns case, organ, dsc (or dice) and hd95_mm; blank or inf where empty.

    Raises ValueError naming file and line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:  # as Excel writes it, too
        rows = csv.DictReader(file)
        names = set(rows.fieldnames or ())
        dsc = next((name for name in _DSC_COLUMNS if name in names), None)
        if dsc is None or not {"case", "organ", "hd95_mm"} <= names:
            raise ValueError(f"{path}: needs the columns case, organ, dsc and hd95_mm")
        found: dict[Key, RankedScore] = {}
        for line, row in enumerate(rows, start=2):
            if None in (row["case"], row["organ"], row[dsc], row["hd95_mm"]):
                raise ValueError(f"{path}, line {line}: it lacks columns")
            key = (row["case"], row["organ"])
            if key in found:
                raise ValueError(f"{path}, line {line}: {' '.join(key)} is there twice")
            found[key] = _measured(row[dsc], row["hd95_mm"], f"{path}, line {line}")
    if not found:
        raise ValueError(f"{path} holds no score")
    return found


def rank(
    methods: Mapping[str, Mapping[Key, RankedScore]], *, common: bool = False, alpha: float = ALPHA
) -> Ranking:
    """Rank methods by their scores.

    common: compare only what every method's file has. Raises ValueError for fewer than two methods,
    or where they have nothing in common.
    """
    if len(methods) < 2:
        raise ValueError("at least two methods are needed")
    sets = [set(scores) for scores in methods.values()]
    keys = sorted(set.intersection(*sets) if common else set.union(*sets))
    if not keys or not set.intersection(*sets):
        raise ValueError("the methods share no case and organ")
    dsc = {name: _dsc(scores, keys) for name, scores in methods.items()}
    greatest = _greatest(methods)
    measured = [key for key in keys if key[1] in greatest]
    hd95 = {name: _hd95(scores, measured, greatest) for name, scores in methods.items()}
    by_dsc = _metric(dsc, alpha, higher=True)
    by_hd95 = _metric(hd95, alpha, higher=False)
    found = [
        Ranked(
            name,
            by_dsc[name],
            by_hd95[name],
            _final(name, by_dsc, by_hd95),
            sum(_empty(scores.get(key)) for key in keys),
        )
        for name, scores in methods.items()
    ]
    order = sorted(found, key=lambda one: (one.rank, -one.dsc.mean))
    return Ranking(tuple(order), len(keys), len(keys) - len(measured), alpha)


def text(ranking: Ranking) -> str:
    """The table as people read it, after HANSEG's table 4."""
    head = ("rank", "method", "DSC S", "DSC R", "mean DSC", "HD95 S", "HD95 R", "mean HD95")
    rows = [
        (
            one.rank,
            one.method,
            one.dsc.score,
            one.dsc.rank,
            f"{one.dsc.mean:.3f}",
            one.hd95.score,
            one.hd95.rank,
            f"{one.hd95.mean:.2f}",
            one.empty,
        )
        for one in ranking.methods
    ]
    left_out = (
        f" {ranking.without_distance} are left out of HD95: no method has a distance for the organ."
        if ranking.without_distance
        else ""
    )
    return (
        text_table((*head, "empty"), rows)
        + f"\n\n{ranking.pairs} cases and organs. S: methods that this one is significantly better "
        f"than (Wilcoxon, Bonferroni, p < {ranking.alpha:g}); R: rank by S. Empty masks count with "
        f"DSC 0 and the organ's greatest HD95 of all methods.{left_out}\n"
    )


def write_ranking(path: Path, ranking: Ranking) -> None:
    """One line a method."""
    metrics = [f"{m}_{part}" for m in ("dsc", "hd95") for part in ("score", "rank", "mean")]
    rows = (
        (
            one.rank,
            one.method,
            *(v for m in (one.dsc, one.hd95) for v in (m.score, m.rank, f"{m.mean:.6g}")),
            one.empty,
        )
        for one in ranking.methods
    )
    write_csv(path, ("rank", "method", *metrics, "empty"), rows)


def _measured(dsc: str, hd95: str, where: str) -> RankedScore:
    try:
        overlap = float(dsc)
        distance = float(hd95) if hd95.strip() else math.inf
    except ValueError:
        raise ValueError(f"{where}: not a number") from None
    if not 0 <= overlap <= 1:
        raise ValueError(f"{where}: DSC {overlap:g} is not between 0 and 1")
    if math.isnan(distance):
        distance = math.inf
    if distance < 0:
        raise ValueError(f"{where}: a negative distance")
    return RankedScore(overlap, distance)


def _empty(one: RankedScore | None) -> bool:
    return one is None or math.isinf(one.hd95_mm)


def _dsc(scores: Mapping[Key, RankedScore], keys: Sequence[Key]) -> NDArray[np.float64]:
    found = (scores.get(key) for key in keys)
    return np.array([one.dsc if one is not None and not _empty(one) else 0.0 for one in found])


def _greatest(methods: Mapping[str, Mapping[Key, RankedScore]]) -> dict[str, float]:
    """The greatest HD95 of each organ over all methods and cases."""
    greatest: dict[str, float] = {}
    for scores in methods.values():
        for (_, organ), one in scores.items():
            if not _empty(one):
                greatest[organ] = max(greatest.get(organ, 0.0), one.hd95_mm)
    return greatest


def _hd95(
    scores: Mapping[Key, RankedScore], keys: Sequence[Key], greatest: Mapping[str, float]
) -> NDArray[np.float64]:
    found = ((key[1], scores.get(key)) for key in keys)
    return np.array(
        [greatest[o] if one is None or _empty(one) else one.hd95_mm for o, one in found]
    )


def _metric(
    values: Mapping[str, NDArray[np.float64]], alpha: float, *, higher: bool
) -> dict[str, MetricRank]:
    better = dict.fromkeys(values, 0)
    pairs = list(combinations(values, 2))
    for one, other in pairs:
        test = wilcoxon(values[one], values[other])
        if bonferroni(test.p, len(pairs)) < alpha and test.sign:
            better[one if (test.sign > 0) == higher else other] += 1
    return {
        name: MetricRank(
            better[name],
            1 + sum(score > better[name] for score in better.values()),
            float(values[name].mean()) if len(values[name]) else float("nan"),
        )
        for name in values
    }


def _final(name: str, dsc: Mapping[str, MetricRank], hd95: Mapping[str, MetricRank]) -> int:
    sums = {one: dsc[one].rank + hd95[one].rank for one in dsc}
    ahead = sum(total < sums[name] for total in sums.values())
    tied = [one for one in sums if one != name and sums[one] == sums[name]]
    for one in tied:
        gains = (dsc[one].mean - dsc[name].mean, hd95[name].mean - hd95[one].mean)
        ahead += min(gains) >= 0 and max(gains) > 0
    return 1 + ahead
