"""Sliced against full from the finished units: figures, paired tests, times."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy import stats

from oarflow.training.papers.slice.measurement import UnitScore
from oarflow.training.papers.slice.plan import APPROACHES, Approach, ExperimentSettings, Unit
from oarflow.training.papers.slice.unit import UnitSummary, read_unit


@dataclass(frozen=True)
class NetworkFigures:
    """One network on the test patients: means and standard deviations (0 to 1), and its cost."""

    dice: float
    dice_sd: float
    iou: float
    iou_sd: float
    tune_iou: float
    train_minutes: float
    seconds: float
    parameters: int


@dataclass(frozen=True)
class NetworkPair:
    """Sliced and full of one organ and backbone, on the same n patients.

    p: Wilcoxon's signed-rank test, two-sided, pairs are patients; holm: corrected over the pairs
    compared together.
    """

    organ: str
    backbone: str
    n: int
    sliced: NetworkFigures
    full: NetworkFigures
    dice_p: float
    iou_p: float
    dice_holm: float = 1.0
    iou_holm: float = 1.0

    @property
    def tune_iou(self) -> float:
        """By which an organ's backbone is chosen: of the network on crops, which is the system."""
        return self.sliced.tune_iou


def pairs(settings: ExperimentSettings, folder: Path) -> list[NetworkPair]:
    """The organs and backbones with both networks finished. The p values are uncorrected."""
    found = []
    for organ in settings.organs:
        for backbone in settings.backbones:
            sliced = read_unit(folder / Unit(organ, backbone, "sliced").name)
            full = read_unit(folder / Unit(organ, backbone, "full").name)
            if sliced is not None and full is not None:
                found.append(_pair(organ, backbone, sliced, full))
    return found


def chosen(everything: Sequence[NetworkPair]) -> list[NetworkPair]:
    """Each organ's backbone with the best tuning IoU on crops, Holm-corrected together."""
    best: dict[str, NetworkPair] = {}
    for pair in everything:
        if pair.organ not in best or pair.tune_iou > best[pair.organ].tune_iou:
            best[pair.organ] = pair
    return corrected(list(best.values()))


def at_best(settings: ExperimentSettings, folder: Path) -> list[NetworkPair]:
    """Each organ's best network on crops beside its best on full slices, Holm-corrected together.

    Each side's backbone is the one of the best tuning IoU, so that neither side's choice falls to
    the other. Organs with both networks of at least one backbone.
    """
    found = []
    for organ in dict.fromkeys(pair.organ for pair in pairs(settings, folder)):
        sides = [_best(settings, folder, organ, approach) for approach in APPROACHES]
        (sliced, one), (full, other) = sides
        backbone = sliced if sliced == full else f"{sliced}, {full}"
        found.append(_pair(organ, backbone, one, other))
    return corrected(found)


def _best(
    settings: ExperimentSettings, folder: Path, organ: str, approach: Approach
) -> tuple[str, tuple[UnitSummary, list[UnitScore]]]:
    """The backbone of the finished networks of a side that validated best, and what it measured."""
    units = [
        (backbone, unit)
        for backbone in settings.backbones
        if (unit := read_unit(folder / Unit(organ, backbone, approach).name)) is not None
    ]
    return max(units, key=lambda one: _figures(*one[1]).tune_iou)


def corrected(some: Sequence[NetworkPair]) -> list[NetworkPair]:
    """The same pairs with p corrected by Holm's procedure over all of them."""
    dice = holm([pair.dice_p for pair in some])
    iou = holm([pair.iou_p for pair in some])
    return [
        replace(pair, dice_holm=one, iou_holm=other)
        for pair, one, other in zip(some, dice, iou, strict=True)
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    result = [1.0] * len(ps)
    greatest = 0.0
    for rank, number in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        greatest = max(greatest, min(1.0, ps[number] * (len(ps) - rank)))
        result[number] = greatest
    return result


def signed_rank(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where all pairs are equal."""
    if all(one == other for one, other in zip(first, second, strict=True)):
        return 1.0
    return float(stats.wilcoxon(first, second).pvalue)


def _pair(
    organ: str,
    backbone: str,
    sliced: tuple[UnitSummary, list[UnitScore]],
    full: tuple[UnitSummary, list[UnitScore]],
) -> NetworkPair:
    by_case = [{row.case: row for row in rows if row.part == "test"} for _, rows in (sliced, full)]
    if set(by_case[0]) != set(by_case[1]):
        raise ValueError(
            f"{organ}, {backbone}: sliced and full were not tested on the same patients"
        )
    one, other = ([some[case] for case in sorted(some)] for some in by_case)
    return NetworkPair(
        organ,
        backbone,
        len(one),
        _figures(*sliced),
        _figures(*full),
        signed_rank([row.dice for row in one], [row.dice for row in other]),
        signed_rank([row.iou for row in one], [row.iou for row in other]),
    )


def _figures(summary: UnitSummary, rows: Sequence[UnitScore]) -> NetworkFigures:
    test = [row for row in rows if row.part == "test"]
    dice, iou = [row.dice for row in test], [row.iou for row in test]
    return NetworkFigures(
        statistics.mean(dice),
        statistics.stdev(dice) if len(dice) > 1 else 0.0,
        statistics.mean(iou),
        statistics.stdev(iou) if len(iou) > 1 else 0.0,
        statistics.mean(row.iou for row in rows if row.part == "tune"),
        summary.train_minutes,
        statistics.mean(row.seconds for row in test),
        summary.parameters,
    )
