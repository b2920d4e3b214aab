"""Means, deviations and intervals, against figures by hand and published ones."""

from __future__ import annotations

import pytest

from oarflow.evaluation.scoring.statistics import (
    mean_sd,
    p_value,
    percent_interval,
    share_with_interval,
    standard_deviation,
)


def test_wilsons_interval() -> None:
    """Newcombe 1998, table I: 81 of 263 and 15 of 148."""
    assert percent_interval(81, 263, "wilson", 2) == "25.53% to 36.62%"
    assert percent_interval(15, 148, "wilson", 2) == "6.24% to 16.05%"
    assert percent_interval(0, 20, "wilson", 0).startswith("0% to ")


def test_a_share_with_its_exact_interval() -> None:
    """None of n: the upper bound is 1 - 0.025 ** (1 / n)."""
    assert share_with_interval(0, 10) == "0 of 10 (0.0%; 0.0% to 30.8%)"
    assert share_with_interval(0, 0) == "none"


def test_means_by_hand() -> None:
    assert mean_sd([1.0, 2.0, 3.0], 1) == "2.0 (1.0)"
    assert mean_sd([0.5], sign=True) == "+0.500 (0.000)"
    assert mean_sd([]) == "-"
    assert standard_deviation([1.0, 3.0]) == pytest.approx(2**0.5)


def test_a_small_p() -> None:
    assert (p_value(0.0005), p_value(0.001)) == ("< 0.001", "0.001")
