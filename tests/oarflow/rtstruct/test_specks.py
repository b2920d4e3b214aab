"""Outlines that are too small to be written leave the field, so that file and field agree."""

from __future__ import annotations

import numpy as np

from oarflow.rtstruct.contours import organ_contours
from oarflow.rtstruct.specks import Speck, without_specks
from oarflow.structures import ProbabilityField
from tests.oarflow.rtstruct.hand import field_of, make_grid, make_source, spec

GRID = make_grid((3, 12, 12), (4.0, 4.0))


def square_with(more: dict[tuple[int, int], float]) -> np.ndarray:
    """A square of 25 pixels on the middle slice, and single pixels."""
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[1, 1:6, 1:6] = 1.0
    for (row, column), value in more.items():
        values[1, row, column] = value
    return values


def contoured(values: np.ndarray, offset: tuple[int, int, int] = (0, 0, 0)) -> ProbabilityField:
    field = ProbabilityField(values, offset)
    contours, entry = organ_contours(make_source(3), GRID, field, spec())
    assert len(contours) == 1
    assert entry.area_dropped_mm2 < 0.1
    assert entry.field is not None
    return entry.field


def test_a_voxel_with_next_to_no_outline_leaves_the_field() -> None:
    found = contoured(square_with({(8, 8): 0.5001}))
    assert np.array_equal(found.values, square_with({}))


def test_a_hole_with_next_to_no_outline_is_filled() -> None:
    found = contoured(square_with({(3, 3): 0.4999}))
    assert found.mask.sum() == 25


def test_a_cropped_field_loses_the_same_voxel() -> None:
    whole = square_with({(8, 8): 0.5001})
    found = contoured(whole[1:2, 1:10, 1:10].copy(), (1, 1, 1))
    assert np.array_equal(found.values, square_with({})[1:2, 1:10, 1:10])


def test_the_parts_beside_a_speck_stay() -> None:
    """A part that a speck touches by a corner is another 4-connected part."""
    field = field_of(square_with({(6, 6): 0.6}))
    found = without_specks(field, [Speck(1, 6.0, 6.2, hole=False)])
    assert np.array_equal(found.values, square_with({}))


def test_no_speck_leaves_the_field_itself() -> None:
    field = field_of(square_with({}))
    assert without_specks(field, []) is field
