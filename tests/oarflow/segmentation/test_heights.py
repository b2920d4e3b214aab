"""Slices under the brain are not read for the brain alone."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.segmentation.heights import lowest_mm
from oarflow.structures import Localization
from tests.oarflow.rules.bodies import volume_of

GRID = volume_of(np.zeros((60, 4, 4)), (3.0, 2.0, 2.0)).grid


def brainstem(first: int, *, present: bool = True, by_neighbours: bool = False) -> Localization:
    return Localization(
        "Brainstem", present, 0.9, slices=(first, first + 15), by_neighbours=by_neighbours
    )


def test_a_brain_lies_above_the_lower_end_of_the_brainstem_less_30_mm() -> None:
    assert lowest_mm(["Brain"], {"Brainstem": brainstem(30)}, GRID) == 60.0
    assert lowest_mm(["Brain"], {"Brainstem": brainstem(4)}, GRID) == 0.0


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"Brainstem": brainstem(30, present=False)},
        {"Brainstem": brainstem(30, by_neighbours=True)},
    ],
)
def test_without_a_brainstem_all_slices_are_read(found: dict[str, Localization]) -> None:
    assert lowest_mm(["Brain"], found, GRID) == 0.0


def test_with_an_organ_that_lies_anywhere_all_slices_are_read() -> None:
    assert lowest_mm(["Brain", "Lungs"], {"Brainstem": brainstem(30)}, GRID) == 0.0
