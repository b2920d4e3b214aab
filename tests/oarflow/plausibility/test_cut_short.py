"""A contour that was cut short: what lies beyond it, what it should hold, all signs together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from oarflow.geometry import Grid
from oarflow.plausibility.beyond import going_on
from oarflow.plausibility.edges import hidden_ends
from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.rules import judge
from oarflow.plausibility.sides import cuts
from oarflow.plausibility.signs import Family, signs
from oarflow.plausibility.wholes import held_share
from oarflow.priors import Priors, Spread
from oarflow.structures import ProbabilityField, Segmentation, Side, Status
from oarflow.volume import Volume
from tests.oarflow.plausibility.scenes import CATALOGUE, GRID, SHAPE, volume

Box = tuple[slice, slice, slice]
ORGAN: Box = (slice(20, 40), slice(50, 80), slice(60, 90))
"""60 mm high and wide in the grid of the scenes (3 mm by 2 mm)."""


def organ_hu(hu: float = 50.0) -> np.ndarray:
    """An organ of one HU in tissue of 0 HU."""
    voxels = volume().hu
    voxels[ORGAN] = hu
    return voxels


def shares(box: Box, voxels: np.ndarray, grid: Grid = GRID) -> tuple[float, ...]:
    mask = np.ones([part.stop - part.start for part in box], dtype=bool)
    low, high = going_on(voxels, grid, mask, box)
    return (*low, *high)


def test_nothing_goes_on_beyond_a_whole_organ() -> None:
    assert shares(ORGAN, organ_hu()) == (0.0,) * 6


@pytest.mark.parametrize(
    ("box", "side"),
    [
        ((slice(30, 40), slice(50, 80), slice(60, 90)), 0),
        ((slice(20, 40), slice(65, 80), slice(60, 90)), 1),
        ((slice(20, 40), slice(50, 80), slice(75, 90)), 2),
        ((slice(20, 30), slice(50, 80), slice(60, 90)), 3),
        ((slice(20, 40), slice(50, 65), slice(60, 90)), 4),
        ((slice(20, 40), slice(50, 80), slice(60, 75)), 5),
    ],
    ids=["lower", "front", "right", "upper", "back", "left"],
)
def test_a_missing_half_goes_on_on_its_side_alone(box: Box, side: int) -> None:
    assert shares(box, organ_hu()) == tuple(float(number == side) for number in range(6))


def test_nearer_voxels_count_more() -> None:
    """Two of the three slices above are the organ's: seen at depths of 1, 2 and 3 slices."""
    short = (slice(20, 38), slice(50, 80), slice(60, 90))
    assert shares(short, organ_hu())[3] == pytest.approx((1 + 2 + 2) / (1 + 2 + 3))


def test_what_has_no_value_looks_like_nothing() -> None:
    voxels = organ_hu(-1024.0)
    half = (slice(20, 30), slice(50, 80), slice(60, 90))
    assert shares(half, voxels) == (0.0,) * 6


def test_nothing_goes_on_beyond_the_ct() -> None:
    top = (slice(40, 60), slice(50, 80), slice(60, 90))
    voxels = volume().hu
    voxels[top] = 50.0
    assert shares(top, voxels) == (0.0,) * 6


def test_fine_voxels_are_looked_at_as_deep() -> None:
    """At 1 mm 8 mm of the organ lie beyond: depths of 2, 3, 4 voxels of 2 mm see nothing else."""
    fine = Grid(
        np.arange(60)[:, None] * np.array((0.0, 0.0, 1.0)),
        np.array([1.0, 0, 0]),
        np.array([0, 1.0, 0]),
        (1.0, 1.0),
        (60, 60, 60),
    )
    voxels = np.zeros(fine.shape, dtype=np.float32)
    voxels[10:50, 10:50, 10:50] = 50.0
    assert shares((slice(10, 42), slice(10, 50), slice(10, 50)), voxels, fine)[3] == 1.0


def test_ends_where_the_ct_was_cut_away() -> None:
    """From slice 30 (90 mm) on only a strip is left: half of the cross-section."""
    voxels = volume().hu
    voxels[30:, :75] = -1024.0
    assert hidden_ends(voxels, GRID, 30.0, 88.5) == {Side.SUPERIOR}
    assert hidden_ends(voxels, GRID, 91.5, 150.0) == {Side.INFERIOR}
    assert hidden_ends(voxels, GRID, 30.0, 70.0) == frozenset()
    assert hidden_ends(voxels, GRID, 0.0, 177.0) == frozenset()


def brick(box: Box) -> ProbabilityField:
    values = np.zeros(SHAPE, dtype=np.float32)
    values[box] = 1.0
    return ProbabilityField(values, (0, 0, 0))


def test_a_part_is_held_on_the_planes_that_count() -> None:
    whole = brick((slice(20, 30), slice(50, 80), slice(60, 90)))
    part = brick((slice(15, 25), slice(60, 70), slice(70, 80)))
    assert held_share(whole, part, slice(0, 60)) == 0.5
    assert held_share(whole, part, slice(20, 60)) == 1.0
    assert held_share(whole, part, slice(0, 20)) == 0.0
    assert held_share(whole, part, slice(30, 60)) is None
    away = ProbabilityField(np.ones((2, 2, 2), dtype=np.float32), (0, 0, 0))
    assert held_share(whole, away, slice(0, 60)) == 0.0


def spread(median: float, deviation: float) -> Spread:
    return Spread(50, median, deviation, deviation)


def test_signs_of_one_side_add_up() -> None:
    """Scores of 3, 2 and 4: nine by the root of three. One sign alone is told by itself."""
    spreads = {
        "end_superior": spread(0.2, 0.1),
        "beyond_superior": spread(0.3, 0.1),
        "face_superior": spread(0.0, 4.0),
        "face_inferior": spread(0.0, 4.0),
    }
    figures = {"end_superior": 0.5, "beyond_superior": 0.5, "face_superior": -16.0}
    (found,) = cuts({**figures, "face_inferior": 40.0}, spreads.get)
    assert found.side is Side.SUPERIOR
    assert found.score == pytest.approx(9 / math.sqrt(3))


def test_a_sign_against_a_cut_counts_too() -> None:
    """A tapered end (-2), short of what the localizer saw (+4): two by the root of two."""
    spreads = {"end_inferior": spread(0.4, 0.1), "face_inferior": spread(0.0, 4.0)}
    (found,) = cuts({"end_inferior": 0.2, "face_inferior": 16.0}, spreads.get)
    assert found.score == pytest.approx(math.sqrt(2))


CANAL: Box = (slice(10, 50), slice(70, 82), slice(68, 82))
CORD: Box = (slice(10, 50), slice(73, 79), slice(71, 79))
MEASURES = Measures(
    Priors(
        {
            "SpinalCanal": {
                "parts": spread(1.0, 0.03),
                "end_superior": spread(0.5, 0.25),
                "beyond_superior": spread(0.1, 0.1),
            }
        },
        {},
    ),
    Limits(dict.fromkeys(Family, 4.0), {}, {}),
)


def said(canal: Box, ct: Volume) -> dict[str, str]:
    items = [
        Segmentation(organ, Status.SEGMENTED, brick(box))
        for organ, box in (("SpinalCanal", canal), ("SpinalCord", CORD))
    ]
    scene = gather(ct, items, CATALOGUE)
    flags = judge(scene.contours["SpinalCanal"], scene, MEASURES)
    return {str(flag.code): flag.message for flag in flags if flag.code != "ABRUPT_END"}


def with_canal() -> Volume:
    ct = volume(300.0)
    ct.hu[CANAL] = 20.0
    return ct


def test_a_whole_canal_is_not_flagged() -> None:
    assert said(CANAL, with_canal()) == {}


def test_half_a_canal_is_flagged() -> None:
    """The score of all signs: 2 for the blunt end, 9 for what goes on, by the root of two."""
    assert said((slice(10, 30), *CANAL[1:]), with_canal()) == {
        "PART_OUTSIDE": "Only 50% of SpinalCord lies inside this contour, usually at least 88%.",
        "TISSUE_BEYOND": "The superior part may be missing: 100% of the voxels up to 9 mm beyond "
        "have the organ's CT numbers, usually at most 50%.",
        "CUT_SHORT": "The superior part may be missing: shape, tissue and position there together "
        "deviate by 7.8 SD (limit 4.0).",
    }


def test_where_the_ct_was_cut_away_a_canal_may_end() -> None:
    """Above the canal only a strip about the cord was published."""
    ct = with_canal()
    strip = np.full(SHAPE, -1024.0, dtype=np.float32)
    strip[:, CANAL[1], CANAL[2]] = ct.hu[:, CANAL[1], CANAL[2]]
    hu = ct.hu.copy()
    hu[30:] = strip[30:]
    half = (slice(10, 30), *CANAL[1:])
    assert said(half, replace(ct, hu=hu)) == {}


def test_a_hidden_end_is_no_sign() -> None:
    ct = volume(300.0)
    ct.hu[30:, :75] = -1024.0
    item = Segmentation("SpinalCanal", Status.SEGMENTED, brick((slice(10, 30), *CANAL[1:])))
    scene = gather(ct, [item], CATALOGUE)
    found = signs(scene.contours["SpinalCanal"], scene)
    assert {"end_inferior", "beyond_inferior"} <= found.keys()
    assert not {"end_superior", "beyond_superior"} & found.keys()
