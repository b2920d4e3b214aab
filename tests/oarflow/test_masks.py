"""Bounding boxes, volumes and Dice of masks, and fields on the CT."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.masks import bounding_box, common_part, dice_of_sizes, volume_cc
from oarflow.structures import ProbabilityField


def test_a_bounding_box_ends_with_its_array() -> None:
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[1:3, 2, 6] = True
    assert bounding_box(mask) == (slice(1, 3), slice(2, 3), slice(6, 7))
    assert bounding_box(mask, (2, 1, 1)) == (slice(0, 5), slice(1, 4), slice(5, 7))
    assert bounding_box(mask[:, ::2]) == (slice(1, 3), slice(1, 2), slice(6, 7))
    with pytest.raises(ValueError, match="empty"):
        bounding_box(np.zeros((2, 2, 2), dtype=bool))


def test_sizes() -> None:
    assert volume_cc(np.ones((1, 2, 5), dtype=bool), (3.0, 2.0, 0.5)) == 0.03
    assert dice_of_sizes(1, 2, 2) == 0.5
    assert dice_of_sizes(0, 0, 0) == 1.0


def test_a_common_part_lies_in_both() -> None:
    one = (slice(0, 4), slice(2, 5), slice(0, 9))
    other = (slice(3, 6), slice(0, 3), slice(4, 6))
    assert common_part(one, other) == (
        (slice(3, 4), slice(0, 1), slice(4, 6)),
        (slice(0, 1), slice(2, 3), slice(0, 2)),
    )
    assert common_part(one, (slice(4, 6), slice(2, 5), slice(0, 9))) is None


def test_a_field_of_a_mask_is_the_mask() -> None:
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[1:3, 2:5, 6] = True
    field = ProbabilityField.of_mask(mask)
    assert (field.offset, field.values.shape) == ((1, 2, 6), (2, 3, 1))
    assert field.box == field.mask_box
    assert np.array_equal(field.full_mask(mask.shape), mask)
    assert field.dice(field) == 1.0
