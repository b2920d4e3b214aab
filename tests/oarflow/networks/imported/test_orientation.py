"""From the CT's axes to the network's and back."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from oarflow.geometry import Grid
from oarflow.networks.imported.directions import check_orientation, flips
from oarflow.networks.imported.orientation import AxisOrder, grid_orientation

EVERY = [
    "".join(letters) for pairs in permutations(("LR", "AP", "SI")) for letters in product(*pairs)
]


@pytest.mark.parametrize("transpose", list(permutations(range(3))))
def test_every_orientation_leads_there_and_back(transpose: tuple[int, int, int]) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for ct in ("LPS", "RAS", "AIL"):
        for network in EVERY:
            axes = AxisOrder.between(ct, network, transpose)
            there = axes.into(array)
            assert np.array_equal(axes.back(there), array)
            assert axes.lengths((2.0, 3.0, 4.0)) == tuple(map(float, there.shape))


def test_ras_is_lps_with_x_and_y_reversed() -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert np.array_equal(AxisOrder.between("LPS", "RAS").into(array), array[:, ::-1, ::-1])
    # Index along x to the front, along y to the foot, along z to the right: a sagittal stack.
    sagittal = AxisOrder.between("LPS", "AIR").into(array)
    assert np.array_equal(sagittal, array.transpose(2, 0, 1)[::-1, ::-1, ::-1])
    transposed = AxisOrder.between("LPS", "RAS", (1, 0, 2)).into(array)
    assert np.array_equal(transposed, array[:, ::-1, ::-1].transpose(1, 0, 2))


def test_orientation_of_a_grid() -> None:
    positions = np.arange(3)[:, None] * np.array([0.0, 0, 2])
    grid = Grid(positions, np.array([-1.0, 0, 0]), np.array([0, -1.0, 0]), (1, 1), (3, 4, 5))
    assert grid_orientation(grid) == "RAS"


def test_eight_flips() -> None:
    found = flips("LPS")
    assert found[0] == "LPS"
    assert len(set(found)) == 8
    assert {frozenset(letters) for letters in zip(*found, strict=True)} == {
        frozenset("LR"),
        frozenset("AP"),
        frozenset("SI"),
    }


@pytest.mark.parametrize("letters", ["", "RA", "RAX", "RRS", "LRS", "ras", "RASS"])
def test_other_letters_are_refused(letters: str) -> None:
    with pytest.raises(ValueError, match="an orientation is three letters"):
        check_orientation(letters)
