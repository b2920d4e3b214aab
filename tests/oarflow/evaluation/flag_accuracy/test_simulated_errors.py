"""Simulated errors do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.evaluation.flag_accuracy.simulated_errors import (
    HALVED,
    LEAKED,
    MIRRORED,
    SHIFTED,
    SWAPPED,
    SimulatedError,
    simulated_errors,
)
from oarflow.plausibility.evidence import Scene, gather
from oarflow.plausibility.facts import Facts, measure
from oarflow.structures import Segmentation
from tests.oarflow.plausibility.scenes import CATALOGUE, GRID, SHAPE, ball, volume

PLANE_CC = 2.2
"""Volume of a ball's middle plane: halves are made of whole ones."""

LEFT, RIGHT = (55.0, 0.0, 90.0), (-45.0, 0.0, 90.0)


def head() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A box of tissue, 160 mm wide and deep, its middle at x = 10 mm; air around it."""
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    columns = GRID.patient_to_index([(-70.0, -80.0, 0.0), (90.0, 80.0, 0.0)])
    (_, y0, x0), (_, y1, x1) = columns.round().astype(int)
    hu[:, y0 : y1 + 1, x0 : x1 + 1] = 0.0
    return hu


@pytest.fixture(scope="module")
def scene() -> Scene:
    items = [ball("Parotid_L", LEFT), ball("Parotid_R", RIGHT)]
    return gather(volume(), items, CATALOGUE)


@pytest.fixture(scope="module")
def planted(scene: Scene) -> dict[tuple[str, str], SimulatedError]:
    left = scene.contours["Parotid_L"]
    return {(fault.kind, fault.way): fault for fault in simulated_errors(left, scene, head())}


def facts(item: Segmentation) -> Facts:
    assert item.field is not None
    return measure(volume().hu, GRID, item.field)


@pytest.mark.parametrize(
    ("way", "axis", "mm"),
    [("upward", 0, 15), ("downward", 0, -15), ("backward", 1, 15), ("leftward", 2, 15)],
)
def test_a_shift_moves_the_whole(
    scene: Scene, planted: dict[tuple[str, str], SimulatedError], way: str, axis: int, mm: int
) -> None:
    before, after = scene.contours["Parotid_L"].facts, facts(planted[SHIFTED, way].item)
    moved = np.subtract(after.centroid_mm, before.centroid_mm)
    expected = np.zeros(3)
    expected[axis] = mm
    assert moved == pytest.approx(expected, abs=1.0)
    assert after.volume_cc == pytest.approx(before.volume_cc, rel=0.15)


@pytest.mark.parametrize("way", ["lower half", "upper half", "left half", "front half"])
def test_a_half_is_a_half(
    scene: Scene, planted: dict[tuple[str, str], SimulatedError], way: str
) -> None:
    whole = scene.contours["Parotid_L"].facts.volume_cc
    assert facts(planted[HALVED, way].item).volume_cc == pytest.approx(whole / 2, abs=PLANE_CC)


def test_the_upper_half_is_what_is_missing(planted: dict[tuple[str, str], SimulatedError]) -> None:
    found = facts(planted[HALVED, "upper half"].item)
    assert found.high_mm[0] == pytest.approx(90.0, abs=3.0)
    assert found.low_mm[0] == pytest.approx(75.0, abs=3.0)


def test_a_mirrored_organ_lies_on_the_other_side(
    planted: dict[tuple[str, str], SimulatedError],
) -> None:
    """The middle of the tissue is at x = 10 mm: from 55 to -35."""
    x = facts(planted[MIRRORED, "left to right"].item).centroid_mm[2] - 150.0
    assert x == pytest.approx(-35.0, abs=2.1)


def test_swapped_organs_keep_their_names(planted: dict[tuple[str, str], SimulatedError]) -> None:
    item = planted[SWAPPED, ""].item
    assert item.organ == "Parotid_L"
    assert facts(item).centroid_mm[2] - 150.0 == pytest.approx(-45.0, abs=1.0)


def test_a_leak_goes_through_the_skin(planted: dict[tuple[str, str], SimulatedError]) -> None:
    for way in ("into the air", "into a couch"):
        found = facts(planted[LEAKED, way].item)
        assert found.high_mm[1] - 150.0 == pytest.approx(110.0, abs=4.0)


def test_a_couch_lies_behind_the_back_and_nowhere_else(
    planted: dict[tuple[str, str], SimulatedError],
) -> None:
    """The back is at y = 80 mm: shells at 84 and 134 mm, foam between."""
    assert planted[LEAKED, "into the air"].hu is None
    hu = planted[LEAKED, "into a couch"].hu
    assert hu is not None
    column = dict(zip(GRID.axis_mm(1) - 150.0, hu[10, :, 5], strict=True))
    assert (column[82.0], column[84.0], column[90.0]) == (-1000.0, -250.0, -920.0)
    assert (column[132.0], column[134.0], column[136.0]) == (-250.0, -250.0, -1000.0)
    assert np.array_equal(hu[:, :115], head()[:, :115])
