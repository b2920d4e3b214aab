"""For the brain alone, a network of whole slices reads the head only."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.segmentation.whole_slices import bounds_mm
from oarflow.structures import Localization, Side
from tests.oarflow.rules.bodies import volume_of

GRID = volume_of(np.zeros((60, 250, 250)), (3.0, 2.0, 2.0)).grid
WHOLE = ((0.0, 177.0), (0.0, 498.0), (0.0, 498.0))
PLACE = (110.0, 240.0, 250.0)  # (z, y, x) mm of the brainstem


def brainstem(
    first: int = 30,
    *,
    present: bool = True,
    by_neighbours: bool = False,
    cut: frozenset[Side] = frozenset(),
) -> Localization:
    x, y, z = (float(mm) for mm in GRID.axes_to_patient(np.array(PLACE)))
    return Localization(
        "Brainstem",
        present,
        0.9,
        (x, y, z),
        slices=(first, first + 15),
        cut=cut,
        by_neighbours=by_neighbours,
    )


def test_a_brain_lies_above_the_lower_end_of_the_brainstem_less_30_mm() -> None:
    assert bounds_mm(["Brain"], {"Brainstem": brainstem(30)}, GRID)[0] == (60.0, 177.0)
    assert bounds_mm(["Brain"], {"Brainstem": brainstem(4)}, GRID)[0] == WHOLE[0]


def test_a_head_is_read_in_plane() -> None:
    """200 mm wide and 260 mm long at most, around the brainstem: every brain lies inside."""
    _, y, x = bounds_mm(["Brain"], {"Brainstem": brainstem()}, GRID)
    for (low, high), middle, least, most in ((y, PLACE[1], 210, 270), (x, PLACE[2], 160, 210)):
        assert least < high - low < most
        assert low < middle - 80 < middle + 80 < high


def test_the_region_ends_where_the_ct_ends() -> None:
    aside = brainstem()
    small = volume_of(np.zeros((60, 100, 250)), (3.0, 2.0, 2.0)).grid
    assert bounds_mm(["Brain"], {"Brainstem": aside}, small)[1] == (
        pytest.approx(bounds_mm(["Brain"], {"Brainstem": aside}, GRID)[1][0]),
        198.0,
    )


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"Brainstem": brainstem(present=False)},
        {"Brainstem": brainstem(by_neighbours=True)},
    ],
)
def test_without_a_brainstem_the_whole_ct_is_read(found: dict[str, Localization]) -> None:
    assert bounds_mm(["Brain"], found, GRID) == WHOLE


def test_a_brainstem_that_the_ct_cuts_says_nothing_of_the_head_in_plane() -> None:
    found = {"Brainstem": brainstem(cut=frozenset({Side.SUPERIOR}))}
    assert bounds_mm(["Brain"], found, GRID) == ((60.0, 177.0), *WHOLE[1:])


def test_with_an_organ_that_lies_anywhere_the_whole_ct_is_read() -> None:
    assert bounds_mm(["Brain", "Lungs"], {"Brainstem": brainstem()}, GRID) == WHOLE
