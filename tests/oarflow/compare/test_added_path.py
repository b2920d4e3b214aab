"""Added path length against outlines counted by hand."""

from __future__ import annotations

import pytest

from oarflow.compare.added_path import added_path_length
from tests.oarflow.compare.masks import EMPTY, ONE, UNIT, block


def test_added_path_counts_the_outline_that_is_missing() -> None:
    reference = block(slice(0, 1), slice(2, 7), slice(2, 7))
    taller = block(slice(0, 1), slice(2, 8), slice(2, 7))
    # Its outline shares all of the reference's 16 pixels but the three inner ones of row 6.
    assert added_path_length(taller, reference, (3.0, 2.0, 1.0)) == pytest.approx(3 * 1.5)
    assert added_path_length(taller, reference, (3.0, 2.0, 1.0), tolerance_mm=2.0) == 0
    assert added_path_length(reference, reference, UNIT) == 0


def test_an_empty_mask_needs_the_whole_outline() -> None:
    assert added_path_length(EMPTY, ONE, UNIT) == 4
    assert added_path_length(ONE, EMPTY, UNIT) == 0
    assert added_path_length(EMPTY, EMPTY, UNIT) == 0
