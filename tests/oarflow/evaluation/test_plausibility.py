"""Planted faults do what they say, limits follow from what was shown, and the page counts right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.derived.store import DerivedLabels, write_labels
from oarflow.evaluation.calibrate import Calibration, Known, network_spreads, worst
from oarflow.evaluation.held_against import derived_labels, label_agreement
from oarflow.evaluation.out_of_fold import page as fold_page
from oarflow.evaluation.planted import (
    HALVED,
    LEAKED,
    MIRRORED,
    SHIFTED,
    SWAPPED,
    Planted,
    faults,
    without_half,
)
from oarflow.evaluation.plausibility import (
    NETWORK,
    REFERENCE,
    Verdict,
)
from oarflow.evaluation.plausibility_page import page
from oarflow.plausibility.evidence import Contour, Scene, contour_of, gather
from oarflow.plausibility.facts import Facts, measure
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread
from oarflow.structures import ModelIdentity, ProbabilityField, Segmentation, Side, Status
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
def planted(scene: Scene) -> dict[tuple[str, str], Planted]:
    left = scene.contours["Parotid_L"]
    return {(fault.kind, fault.way): fault for fault in faults(left, scene, head())}


def facts(item: Segmentation) -> Facts:
    assert item.field is not None
    return measure(volume().hu, GRID, item.field)


@pytest.mark.parametrize(
    ("way", "axis", "mm"),
    [("upward", 0, 15), ("downward", 0, -15), ("backward", 1, 15), ("leftward", 2, 15)],
)
def test_a_shift_moves_the_whole(
    scene: Scene, planted: dict[tuple[str, str], Planted], way: str, axis: int, mm: int
) -> None:
    before, after = scene.contours["Parotid_L"].facts, facts(planted[SHIFTED, way].item)
    moved = np.subtract(after.centroid_mm, before.centroid_mm)
    expected = np.zeros(3)
    expected[axis] = mm
    assert moved == pytest.approx(expected, abs=1.0)
    assert after.volume_cc == pytest.approx(before.volume_cc, rel=0.15)


@pytest.mark.parametrize("way", ["lower half", "upper half", "left half", "front half"])
def test_a_half_is_a_half(scene: Scene, planted: dict[tuple[str, str], Planted], way: str) -> None:
    whole = scene.contours["Parotid_L"].facts.volume_cc
    assert facts(planted[HALVED, way].item).volume_cc == pytest.approx(whole / 2, abs=PLANE_CC)


def test_the_upper_half_is_what_is_missing(planted: dict[tuple[str, str], Planted]) -> None:
    found = facts(planted[HALVED, "upper half"].item)
    assert found.high_mm[0] == pytest.approx(90.0, abs=3.0)
    assert found.low_mm[0] == pytest.approx(75.0, abs=3.0)


def test_a_mirrored_organ_lies_on_the_other_side(
    planted: dict[tuple[str, str], Planted],
) -> None:
    """The middle of the tissue is at x = 10 mm: from 55 to -35."""
    x = facts(planted[MIRRORED, "left to right"].item).centroid_mm[2] - 150.0
    assert x == pytest.approx(-35.0, abs=2.1)


def test_swapped_organs_keep_their_names(planted: dict[tuple[str, str], Planted]) -> None:
    item = planted[SWAPPED, ""].item
    assert item.organ == "Parotid_L"
    assert facts(item).centroid_mm[2] - 150.0 == pytest.approx(-45.0, abs=1.0)


def test_a_leak_goes_through_the_skin(planted: dict[tuple[str, str], Planted]) -> None:
    for way in ("into the air", "into a couch"):
        found = facts(planted[LEAKED, way].item)
        assert found.high_mm[1] - 150.0 == pytest.approx(110.0, abs=4.0)


def test_a_couch_lies_behind_the_back_and_nowhere_else(
    planted: dict[tuple[str, str], Planted],
) -> None:
    """The back is at y = 80 mm: shells at 84 and 134 mm, foam between."""
    assert planted[LEAKED, "into the air"].hu is None
    hu = planted[LEAKED, "into a couch"].hu
    assert hu is not None
    column = dict(zip(GRID.axis_mm(1) - 150.0, hu[10, :, 5], strict=True))
    assert (column[82.0], column[84.0], column[90.0]) == (-1000.0, -250.0, -920.0)
    assert (column[132.0], column[134.0], column[136.0]) == (-250.0, -250.0, -1000.0)
    assert np.array_equal(hu[:, :115], head()[:, :115])


def test_limits_are_what_good_contours_showed(scene: Scene) -> None:
    shown = [Known("a", moved(scene, mm), scene, 0.9) for mm in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    spreads = network_spreads(shown)["Parotid_L"]
    assert spreads["centre_z"].median == pytest.approx(0.0, abs=0.5)
    measures = Measures(Priors({}, {}), Limits({}, {"Parotid_L": spreads}, {}))
    far = worst(Known("b", moved(scene, 12.0), scene, 0.9), measures)
    near = worst(Known("c", moved(scene, 1.0), scene, 0.9), measures)
    assert far[Family.CENTRE] > 4 > near[Family.CENTRE]


def derived_contour(scene: Scene, cut: frozenset[Side] = frozenset()) -> Contour:
    """The left ball as an organ learned from derived labels."""
    contour = scene.contours["Parotid_L"]
    model = ModelIdentity("m", "1", "0", derived_labels=True)
    return replace(contour, item=replace(contour.item, model=model), cut=cut)


def test_a_side_that_few_contours_show_is_held_against_all_sides(scene: Scene) -> None:
    """Twelve contours, of which the scan cuts eleven below."""
    below = frozenset({Side.INFERIOR})
    contours = [derived_contour(scene, below if number else frozenset()) for number in range(12)]
    shown = [Known(str(number), one, scene, 0.9) for number, one in enumerate(contours)]
    spreads = network_spreads(shown)["Parotid_L"]
    assert spreads["end_superior"].n == 12
    assert spreads["end_inferior"].n == spreads["beyond_inferior"].n == 5 * 12 + 1


def test_signs_of_one_side_are_calibrated_together(scene: Scene) -> None:
    """A half ball, by 2 deviations blunter and by 3 shorter than usual: five by the root of two."""
    item = scene.contours["Parotid_L"].item
    assert item.field is not None
    half = replace(item, field=without_half(item.field, 0, high=True))
    known = Known("a", contour_of(volume(), half, CATALOGUE), scene, 0.5)
    spreads = {
        "end_superior": Spread(50, known.signs["end_superior"] - 0.2, 0.1, 0.1),
        "face_superior": Spread(50, known.signs["face_superior"] + 12.0, 4.0, 4.0),
    }
    measures = Measures(Priors({}, {}), Limits({}, {"Parotid_L": spreads}, {}))
    assert worst(known, measures)[Family.CUT] == pytest.approx((2 + 3) / 2**0.5)


def moved(scene: Scene, mm: float) -> Contour:
    x, y, z = LEFT
    item = ball("Parotid_L", (x, y, z + mm), localized=LEFT)
    return contour_of(volume(), item, CATALOGUE)


def test_the_page_counts() -> None:
    verdicts = [
        Verdict("pt_1", "Larynx", REFERENCE, dice=1.0),
        Verdict("pt_2", "Larynx", REFERENCE, codes=("VOLUME_LOW",), messages=("w",), dice=1.0),
        Verdict("pt_3", "Larynx", REFERENCE, codes=("VOLUME_LOW",), dice=1.0, doubt="airway"),
        Verdict("pt_1", "Larynx", NETWORK, dice=0.8, status="segmented"),
        Verdict("pt_2", "Larynx", NETWORK, dice=0.2, status="segmented"),
        Verdict("pt_3", "Larynx", NETWORK, codes=("UNSTABLE",), messages=("unsure",), dice=0.1,
                status="segmented"),
        Verdict("pt_4", "Larynx", NETWORK, dice=0.0, status="absent"),
        Verdict("pt_1", "Larynx", SHIFTED, "upward", ("CENTRE_SHIFTED",), ("w",), 0.3, "segmented"),
        Verdict("pt_1", "Larynx", SHIFTED, "downward", (), (), 0.9, "segmented"),
    ]  # fmt: skip
    text = page(verdicts, Limits({Family.DOUBT: 2.5}, {}, {}, "made"), "command", "2026-01-02")
    assert "| Larynx | 1 of 2 (50.0%; 1.3% to 98.7%) | 0 of 1 (0.0%; 0.0% to 97.5%) |" in text
    assert "| **shifted by 15 mm** | 1/1 | **1 of 1 (100.0%; 2.5% to 100.0%)** |" in text
    assert "Dice under 0.5: 3 of 4 organs with a reference; 1 of them not contoured" in text
    assert "**1 of 2 (50.0%; 1.3% to 98.7%)**" in text
    assert "With the rules 1 of 2 called `segmented` remain" in text


def test_organs_learned_from_rules_have_their_own_section() -> None:
    drawn = Verdict("pt_1", "Larynx", NETWORK, dice=0.8, status="segmented")
    brain = Verdict("pt_1", "Brain", NETWORK, dice=0.9, status="truncated", derived=True)
    verdicts = [
        drawn,
        brain,
        replace(brain, case="pt_2", codes=("ODD_SHAPE",)),
        replace(brain, case="pt_3", dice=0.6, codes=("UNSTABLE",)),
        replace(brain, case="pt_4", dice=None),
        replace(brain, kind=SHIFTED, way="upward", codes=("CENTRE_SHIFTED",), dice=0.3),
    ]
    text = page(verdicts, Limits({}, {}, {}, "made"), "command", "2026-01-02")
    head, own = text.split("## Organs learned from derived labels")
    assert "Brain" not in head
    assert "all 2 together: 1 of 3 (33.3%; 0.8% to 90.6%) of the networks' good" in head
    assert "| Brain | 3 | 1 of 2 (50.0%; 1.3% to 98.7%) |" in own
    assert "1 contours of Dice up to 0.7: Brain of pt_3, Dice 0.60, truncated before" in own
    assert "| **shifted by 15 mm** | 1/1 | **1 of 1 (100.0%; 2.5% to 100.0%)** |" in own
    unjudged = page([drawn, replace(brain, dice=None)], Limits({}, {}, {}), "c", "d")
    assert "Brain: not measured." in unjudged


def test_derived_labels_count_where_they_say_anything(tmp_path: Path) -> None:
    """A label on slices 2 to 12 of 14, of which the CT's first and last were not published."""
    body = np.ones((14, 4, 4), dtype=bool)
    body[[0, 13]] = False
    label = np.zeros((14, 4, 4), dtype=bool)
    label[2:13, :2] = True
    write_labels(tmp_path / "pt_1.npz", DerivedLabels({"Brain": label}, (2, 12)))
    case = Case("pt_1", np.zeros((14, 4, 4), dtype=np.int16), (3.0, 2.0, 2.0),
                LazyMasks((), _none), body)  # fmt: skip
    labels = derived_labels(case, tmp_path)
    assert labels.slices == (1, 11)
    assert labels.masks["Brain"].shape == (12, 4, 4)
    values = np.zeros((12, 4, 4), dtype=np.float32)
    values[:, :2] = 1.0
    brain = Segmentation("Brain", Status.SEGMENTED, ProbabilityField(values, (0, 0, 0)))
    assert label_agreement(labels, brain) == 1.0, "slice 0, of which nothing is known, is left out"
    assert label_agreement(labels, Segmentation("Brain", Status.ABSENT)) == 0.0
    assert label_agreement(labels, Segmentation("Trachea", Status.ABSENT)) is None
    assert derived_labels(case, None).masks == {}


def test_a_contour_mostly_where_no_label_knows_is_held_against_nothing() -> None:
    label = np.ones((12, 4, 4), dtype=bool)
    item = Segmentation(
        "Brain",
        Status.SEGMENTED,
        ProbabilityField(np.ones((12, 4, 4), dtype=np.float32), (0, 0, 0)),
    )
    assert label_agreement(DerivedLabels({"Brain": label}, (1, 11)), item) == 1.0
    assert label_agreement(DerivedLabels({"Brain": label}, (2, 11)), item) is None


def _none(organ: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    raise KeyError(organ)


def test_failures_out_of_fold_are_counted(scene: Scene) -> None:
    """The left ball of volume 14.1 cc is usual; one of 4.2 cc is far from that."""
    small = gather(volume(), [ball("Parotid_L", LEFT, 10.0)], CATALOGUE)
    usual = Spread(35, float(np.log(14.1)), 0.1, 0.1)
    limits = Limits({Family.VOLUME: 3.0}, {}, {})
    measures = Measures(Priors({"Parotid_L": {"volume": usual}}, {}), limits)
    known = tuple(
        Known(case, around.contours["Parotid_L"], around, dice)
        for case, around, dice in (
            ("pt_1", scene, 0.8),
            ("pt_2", small, 0.3),
            ("pt_3", scene, 0.2),
            ("pt_4", small, None),
        )
    )
    text = fold_page(Calibration(limits, known, measures), "command", "2026-01-02")
    row = "0 of 1 (0.0%; 0.0% to 97.5%) | 1 of 2 (50.0%; 1.3% to 98.7%) |"
    assert f"| Parotid_L | 3 | 0.433 | {row}" in text
    assert "from 3 training patients" in text
