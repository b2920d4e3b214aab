from __future__ import annotations

import numpy as np
import pytest

from oarflow.rtstruct.islands import gaps, with_gaps_filled, without_islands
from tests.oarflow.rtstruct.hand import field_of, make_grid

GRID = make_grid((6, 20, 20), (2.0, 2.0), offsets_mm=[0, 3, 6, 9, 11, 13])


def two_parts(second: tuple[slice, slice, slice]) -> np.ndarray:
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[1:4, 2:8, 2:8] = 0.9
    values[second] = 0.8
    return values


def test_a_small_part_is_dropped_and_its_volume_is_told() -> None:
    values = two_parts(np.s_[2, 12:14, 12:14])
    field, dropped = without_islands(field_of(values), GRID, 0.1)
    assert (dropped.count, dropped.volume_cc) == (1, pytest.approx(4 * 2 * 2 * 3 / 1000))
    expected = two_parts(np.s_[0:0, 0:0, 0:0])
    assert np.array_equal(field.values, expected)


def test_slices_weigh_by_what_they_stand_for() -> None:
    values = two_parts(np.s_[3, 12:14, 12:14])
    _, dropped = without_islands(field_of(values), GRID, 0.1)
    assert dropped.volume_cc == pytest.approx(4 * 2 * 2 * 2.5 / 1000)


def test_parts_that_touch_by_a_corner_are_one() -> None:
    field = field_of(two_parts(np.s_[4, 8, 8]))
    assert without_islands(field, GRID, 0.1)[0] is field


def test_the_only_and_the_largest_part_are_never_dropped() -> None:
    alone = field_of(two_parts(np.s_[0:0, 0:0, 0:0]))
    assert without_islands(alone, GRID, 99.0)[0] is alone
    both, dropped = without_islands(field_of(two_parts(np.s_[2, 12:14, 12:14])), GRID, 99.0)
    assert dropped.count == 1
    assert both.mask.sum() == 108


def test_no_threshold_drops_nothing() -> None:
    field = field_of(two_parts(np.s_[2, 12, 12]))
    assert without_islands(field, GRID, 0.0)[0] is field


def test_gaps_lie_between_filled_slices_only() -> None:
    assert gaps(np.array([0, 1, 0, 0, 1, 1, 0], dtype=bool)) == (2, 3)
    assert gaps(np.zeros(4, dtype=bool)) == ()


def test_a_filled_gap_lies_between_its_neighbours_by_position() -> None:
    values = np.zeros((6, 41, 41), dtype=np.float32)
    rows, columns = np.mgrid[-20:21, -20:21]
    values[2] = np.hypot(rows, columns) < 15
    values[4] = np.hypot(rows, columns) < 5
    grid = make_grid((6, 41, 41), offsets_mm=[0, 3, 6, 9, 11, 13])
    field, done = with_gaps_filled(field_of(values), grid, 1)
    assert done == (3,)
    radius = np.sqrt(field.mask[3].sum() / np.pi)
    assert radius == pytest.approx(15 - 10 * 3 / 5, abs=0.5)


def test_longer_gaps_and_neighbours_apart_stay_empty() -> None:
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[0, 2:8, 2:8] = values[3, 2:8, 2:8] = 1
    field = field_of(values)
    assert with_gaps_filled(field, GRID, 1) == (field, ())
    assert with_gaps_filled(field, GRID, 2)[1] == (1, 2)
    apart = np.zeros(GRID.shape, dtype=np.float32)
    apart[0, 2:5, 2:5] = apart[2, 14:17, 14:17] = 1
    assert with_gaps_filled(field_of(apart), GRID, 1)[1] == ()
