"""Runs of slices in each other's place, in series whose differences follow by hand."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.intake.order import NONE, Exchange, worst_exchange

LEAST = 4.0


def ramp(order: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Slices of one value each, 20 HU apart: two differ by 20 HU times their distance."""
    values = np.repeat(np.float32(20) * np.array(order, dtype=np.float32), 16).reshape(-1, 4, 4)
    return values, np.ones(values.shape, dtype=bool)


def test_slices_in_order_gain_nothing_by_an_exchange() -> None:
    """Least is lost by the two at an end: two borders of 1 each would become 1 and 2."""
    found = worst_exchange(*ramp(list(range(12))), LEAST)
    assert found.ratio == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10], Exchange((4 + 5 + 4) / 3, 3, (3, 3))),
        ([0, 1, 2, 3, 5, 4, 6, 7, 8], Exchange((2 + 1 + 2) / 3, 4, (1, 1))),
        ([0, 1, 4, 5, 6, 2, 3, 7, 8], Exchange((3 + 4 + 4) / 3, 2, (3, 2))),
        ([2, 3, 0, 1, 4, 5, 6], Exchange((3 + 3) / 2, 0, (2, 2))),
        ([0, 1, 2, 3, 6, 7, 4, 5], Exchange((3 + 3) / 2, 4, (2, 2))),
    ],
    ids=["three for three", "neighbours", "unequal", "at the first end", "at the last end"],
)
def test_exchanged_runs(order: list[int], expected: Exchange) -> None:
    found = worst_exchange(*ramp(order), LEAST)
    assert (found.first, found.counts) == (expected.first, expected.counts)
    assert found.ratio == pytest.approx(expected.ratio)


def test_a_scan_masked_to_changing_strips_is_compared_where_all_have_values() -> None:
    """Slices 3 to 5 show only their left half, where the anatomy changes twice as fast."""
    values, known = ramp(list(range(10)))
    values[:, :, :2] *= 2
    known[3:6, :, 2:] = False
    assert worst_exchange(values, known, LEAST).ratio < 1


def test_what_shares_too_little_is_not_compared() -> None:
    values, known = ramp([0, 2, 1, 3])
    assert worst_exchange(values, known, 17.0) == NONE


def test_steps_that_an_exchange_touches() -> None:
    """Runs of slices 3 to 5: the step into them is number 2, that out of them number 5."""
    steps = np.zeros(9, dtype=bool)
    steps[[1, 6]] = True
    assert not Exchange(1.2, 3, (2, 1)).touches(steps)
    for number in (2, 5):
        assert Exchange(1.2, 3, (2, 1)).touches(np.arange(9) == number)
