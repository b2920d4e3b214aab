"""Limits follow from good contours; failures out of fold are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oarflow.evaluation.flag_accuracy.simulated_errors import (
    without_half,
)
from oarflow.evaluation.limits.calibration import Calibration, Known, network_spreads, worst
from oarflow.evaluation.limits.out_of_fold import page as fold_page
from oarflow.plausibility.evidence import Contour, Scene, contour_of, gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread
from oarflow.structures import ModelIdentity, Side
from tests.oarflow.plausibility.scenes import CATALOGUE, ball, volume

LEFT, RIGHT = (55.0, 0.0, 90.0), (-45.0, 0.0, 90.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    items = [ball("Parotid_L", LEFT), ball("Parotid_R", RIGHT)]
    return gather(volume(), items, CATALOGUE)


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


def test_a_side_that_few_contours_show_is_judged_by_all_sides(scene: Scene) -> None:
    """Twelve contours; the scan cuts eleven of them below."""
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
