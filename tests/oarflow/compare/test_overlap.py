"""Overlap and volume against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.compare.overlap import dice, overlap, within_slices
from oarflow.masks import volume_cc
from tests.oarflow.compare.masks import EMPTY, ONE, block


def test_overlap_of_two_bars_counted_by_hand() -> None:
    mask = block(slice(0, 1), slice(0, 1), slice(0, 6))
    reference = block(slice(0, 1), slice(0, 1), slice(4, 8))
    found = overlap(mask, reference)
    assert (found.mask, found.reference, found.both) == (6, 4, 2)
    assert found.dice == pytest.approx(0.4)
    assert found.iou == pytest.approx(2 / 8)
    assert found.precision == pytest.approx(2 / 6)
    assert found.recall == pytest.approx(2 / 4)


def test_volume_of_ten_voxels() -> None:
    assert volume_cc(block(slice(0, 1), slice(0, 2), slice(0, 5)), (3.0, 2.0, 0.5)) == 0.03


def test_two_empty_masks_agree() -> None:
    found = overlap(EMPTY, EMPTY)
    assert (found.dice, found.iou, found.precision, found.recall) == (1, 1, 1, 1)


@pytest.mark.parametrize(("mask", "reference"), [(EMPTY, ONE), (ONE, EMPTY)])
def test_one_empty_mask_agrees_in_nothing(mask: np.ndarray, reference: np.ndarray) -> None:
    found = overlap(mask, reference)
    assert (found.dice, found.iou, found.precision, found.recall) == (0, 0, 0, 0)


def test_slices_beyond_the_reference_are_left_out() -> None:
    reference = block(slice(5, 9), slice(2, 6), slice(2, 6))
    mask = block(slice(3, 9), slice(2, 6), slice(2, 6))
    assert dice(mask, reference) == pytest.approx(0.8)
    assert dice(*within_slices(mask, reference)) == 1.0
    assert within_slices(mask, np.zeros_like(mask))[0].shape[0] == 0


@pytest.mark.parametrize("other", [EMPTY.astype(np.uint8), EMPTY[1:]], ids=["not bool", "shape"])
def test_masks_that_do_not_fit_are_refused(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be bool|differ in shape"):
        overlap(EMPTY, other)
