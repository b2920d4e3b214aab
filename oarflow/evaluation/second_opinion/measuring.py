"""Figures of two networks' contours of the tuning patients, with the first one's Dice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from oarflow.compare.fields import field_distances
from oarflow.datasets.cases import Case
from oarflow.datasets.openkbp import OpenKbp
from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE
from oarflow.evaluation.limits.predictions import published
from oarflow.evaluation.limits.reference_dice import dice_with_reference
from oarflow.evaluation.second_opinion.pairs import ContourPairs
from oarflow.structures import ProbabilityField, Segmentation, Status

GOOD_SHARE = 0.05
"""Share of an organ's contours, good by both networks, that its limit may flag."""

ROOM = 1.1
"""Factor beyond the figures of the few contours."""

LEAST_CONTOURS = 8
"""Least number of contours that give a limit."""


@dataclass(frozen=True)
class ComparedContour:
    """One organ of a patient that has a reference.

    dice, second_dice: with the reference; 0 for an empty contour. mean_mm, hd95_mm: between both
    contours; inf if the second network found nothing, nan if the first did. seen: whether the
    second network learned from the patient.
    """

    case: str
    organ: str
    dice: float
    second_dice: float
    mean_mm: float
    hd95_mm: float
    seen: bool

    @property
    def good(self) -> bool:
        return self.dice > GOOD_DICE

    @property
    def both_good(self) -> bool:
        """Whether both networks contour it well."""
        return self.good and self.second_dice > GOOD_DICE

    @property
    def failed(self) -> bool:
        """Whether it is a contour that failed. An organ without a contour cannot mislead."""
        return self.dice < FAILED_DICE and not math.isnan(self.mean_mm)


def compared_contours(
    cases: OpenKbp, ids: Iterable[str], pairs: ContourPairs
) -> Iterator[ComparedContour]:
    """Every organ with a reference of these patients."""
    for case_id in ids:
        case = published(cases[case_id])
        seen = all(organ in case.masks and case.masks[organ].any() for organ in pairs.organs)
        for organ, pair in pairs.of(case).items():
            dice = _dice(case, organ, pair.first)
            second = _dice(case, organ, pair.second)
            if dice is None or second is None:
                continue
            mean_mm, hd95_mm = _distances(case, pair.first, pair.second)
            yield ComparedContour(case_id, organ, dice, second, mean_mm, hd95_mm, seen)


def _dice(case: Case, organ: str, field: ProbabilityField | None) -> float | None:
    return dice_with_reference(case, Segmentation(organ, Status.SEGMENTED, field))


def _distances(
    case: Case, first: ProbabilityField | None, second: ProbabilityField | None
) -> tuple[float, float]:
    if first is None:
        return math.nan, math.nan
    if second is None:
        return math.inf, math.inf
    found = field_distances(first, second, case.grid)
    return found.mean(), found.hausdorff(95)


Figure = Callable[[ComparedContour], float]


def mean_mm(one: ComparedContour) -> float:
    """Mean surface distance of both contours."""
    return one.mean_mm


def hd95_mm(one: ComparedContour) -> float:
    """HD95 of both contours."""
    return one.hd95_mm


def limit_mm(
    organ: str, contours: Iterable[ComparedContour], figure: Figure = mean_mm
) -> float | None:
    """The limit of an organ, in mm; None with fewer than `LEAST_CONTOURS`.

    It is the figure that a share of the contours exceed where both networks are good, with `ROOM`,
    upward to 0.1 mm. Both sides of a pair count.
    """
    values = [figure(one) for one in contours if _pair(one.organ) == _pair(organ) and one.both_good]
    if len(values) < LEAST_CONTOURS:
        return None
    highest = float(np.quantile(values, 1 - GOOD_SHARE, method="higher"))
    return math.ceil(round(highest * ROOM * 10, 6)) / 10


def limits_mm(contours: Sequence[ComparedContour]) -> dict[str, float]:
    """The limits of the mean surface distance, of organs with enough contours."""
    organs = dict.fromkeys(one.organ for one in contours)
    found = {organ: limit_mm(organ, contours) for organ in organs}
    return {organ: limit for organ, limit in found.items() if limit is not None}


def _pair(organ: str) -> str:
    """An organ's name without its side."""
    return organ.removesuffix("_L").removesuffix("_R")
