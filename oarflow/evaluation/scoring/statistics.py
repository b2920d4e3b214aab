"""Metrics of a score by their names on pages, and what groups of scores come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import binomtest

from oarflow.compare.scores import Score, finite

WRONG_DSC = 0.3
"""A contour with a Dice below this is wrong, whatever a clinic's way of drawing."""

METRICS: Mapping[str, str] = {
    "dsc": "DSC",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "hd95_mm": "HD95 (mm)",
    "hd_mm": "HD (mm)",
    "mean_distance_mm": "mean distance (mm)",
    "surface_dice": "surface Dice",
    "added_path_mm": "added path (mm)",
    "volume_error": "volume error",
}
"""Attributes of a score as tables name them."""


@dataclass(frozen=True)
class MetricSummary:
    """One metric of a group of scores. n: finite values; missed: contours that were empty."""

    n: int
    missed: int
    mean: float
    sd: float
    median: float
    low: float
    high: float
    least: float
    greatest: float


def summary(scores: Sequence[Score], metric: str) -> MetricSummary:
    """low and high: 25th and 75th percentile. nan where no value is finite; SD of one value 0."""
    values = np.array(finite(getattr(one, metric) for one in scores))
    missed = sum(one.empty for one in scores)
    if not len(values):
        return MetricSummary(0, missed, *[float("nan")] * 7)
    low, median, high = np.percentile(values, (25, 50, 75))
    return MetricSummary(
        len(values),
        missed,
        float(values.mean()),
        standard_deviation(values.tolist()),
        float(median),
        float(low),
        float(high),
        float(values.min()),
        float(values.max()),
    )


def standard_deviation(values: Sequence[float]) -> float:
    """The sample's, by n - 1; 0 for one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def mean_sd(values: Sequence[float], digits: int = 3, *, sign: bool = False) -> str:
    """Mean and, in brackets, standard deviation; "-" for no values. sign: of the mean, always."""
    if not values:
        return "-"
    mean = f"{np.mean(values):{'+' if sign else ''}.{digits}f}"
    return f"{mean} ({standard_deviation(values):.{digits}f})"


def percent_interval(part: int, whole: int, method: Literal["wilson", "exact"], digits: int) -> str:
    """The 95 % confidence interval of a share, in percent.

    method: "wilson" (score interval) or "exact" (Clopper and Pearson).
    """
    interval = binomtest(part, whole).proportion_ci(0.95, method)
    return f"{interval.low:.{digits}%} to {interval.high:.{digits}%}"


def p_value(p: float) -> str:
    """A p as pages show it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share_with_interval(part: int, whole: int) -> str:
    """A count of a whole, its share, and Clopper and Pearson's 95 % interval."""
    if not whole:
        return "none"
    interval = percent_interval(part, whole, "exact", 1)
    return f"{part} of {whole} ({part / whole:.1%}; {interval})"
