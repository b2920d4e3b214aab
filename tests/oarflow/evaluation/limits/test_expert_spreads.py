"""Networks of experts' contours are compared with contours of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.cases import Case
from oarflow.datasets.experts import Experts
from oarflow.evaluation.experts.scores import held_out
from oarflow.evaluation.limits import expert_spreads
from oarflow.evaluation.limits.calibration import Known
from oarflow.evaluation.limits.expert_page import page
from oarflow.evaluation.limits.expert_spreads import JudgedContour, calibrated, wider, with_spreads
from oarflow.evaluation.limits.predictions import Predictions
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread
from tests.oarflow.datasets.made_up_experts import write_experts
from tests.oarflow.plausibility.scenes import CATALOGUE, ball, volume

PLACE = (55.0, 0.0, 90.0)
PATIENTS = [f"pt_{k}" for k in range(1, 13)]
RADIUS_MM = {"pt_12": 9.0}
"""Of the ball that stands for the parotid; 15 mm for the other patients."""


class Folder:
    """A models folder that contours the left parotid. Remembers whom it contoured."""

    organs = ("Parotid_L",)

    def __init__(self, path: Path, _: Path) -> None:
        self.path = path


@pytest.fixture
def contoured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Models folder and patient of every contour."""
    seen: list[tuple[str, str]] = []

    def contour(
        case: Case, predictions: Predictions, organs: Sequence[str], _: Catalogue
    ) -> list[Known]:
        assert isinstance(predictions, Folder)
        assert set(organs) == {"Parotid_L"}
        seen.append((predictions.path.name, case.id))
        radius = RADIUS_MM.get(case.id, 15.0 + PATIENTS.index(case.id) / 10)
        scene = gather(volume(), [ball("Parotid_L", PLACE, radius, localized=PLACE)], CATALOGUE)
        return [Known(case.id, scene.contours["Parotid_L"], scene, None)]

    monkeypatch.setattr(expert_spreads, "_contoured", contour)
    monkeypatch.setattr(expert_spreads, "Predictions", Folder)
    monkeypatch.setattr(expert_spreads, "dice_with_mask", lambda drawn, item: 0.8)
    monkeypatch.setattr(expert_spreads, "model_files", lambda folder: ())
    monkeypatch.setattr(expert_spreads, "_of_tuning", lambda *_: ())
    return seen


def test_patients_are_judged_by_networks_and_spreads_that_did_not_see_them(
    tmp_path: Path, contoured: list[tuple[str, str]]
) -> None:
    drawn = {"Parotid-Lt": 1.0}
    experts = Experts(write_experts(tmp_path, dict.fromkeys(PATIENTS, drawn)))
    clinics = Spread(170, float(np.log(15.0)), 0.01, 0.01)
    families = dict.fromkeys(Family, 1000.0) | {Family.VOLUME: 4.0}
    measures = Measures(
        Priors({"Parotid_L": {"volume": clinics}}, {}),
        Limits(families, {"Larynx": {"volume": clinics}}, {"Larynx": "0"}),
    )
    folds = [tmp_path / "one", tmp_path / "two"]
    found = calibrated(
        experts, folds, tmp_path, tmp_path, cache=tmp_path, measures=measures, catalogue=CATALOGUE
    )
    assert contoured == [
        (folder.name, patient)
        for number, folder in enumerate(folds, start=1)
        for patient in held_out(experts, number, 2)
    ]
    # A ball of 9 mm radius has 3 cc, the others 14 to 18 cc. The clinics' spread would flag most.
    flagged = {one.patient: one.flags for one in found.judged if one.flags}
    assert flagged == {"pt_12": ("VOLUME_LOW",)}
    spreads = found.limits.networks["Parotid_L"]
    assert spreads["volume"].n == len(PATIENTS)
    assert spreads["volume"].median == pytest.approx(np.log(14.9), abs=0.15)
    assert found.limits.networks["Larynx"] == {"volume": clinics}
    assert found.limits.families == families


def test_a_flag_needs_a_value_that_is_unusual_among_both() -> None:
    networks, clinics = Spread(40, 10.0, 1.0, 2.0), Spread(170, 16.0, 1.0, 3.0)
    both = wider(networks, clinics, 4.0)
    # Networks: 6 to 18. Clinics: 12 to 28.
    assert both.score(6.0) == pytest.approx(-4.0)
    assert both.score(10.0) == 0
    assert both.score(28.0) == pytest.approx(4.0)


def test_the_look_of_the_ct_is_that_of_the_clinics() -> None:
    scene = gather(volume(), [ball("Parotid_L", PLACE, 15.0, localized=PLACE)], CATALOGUE)
    contours = [Known(str(k), scene.contours["Parotid_L"], scene, 0.9) for k in range(3)]
    look = Spread(170, 0.1, 0.01, 0.01)
    families = dict.fromkeys(Family, 4.0)
    today = Measures(Priors({"Parotid_L": {"bright": look}}, {}), Limits(families, {}, {}))
    made = with_spreads(today, contours)
    assert made.spread("Parotid_L", "bright") is look
    assert {"volume", "centre_z"} <= set(made.limits.networks["Parotid_L"])


def test_the_page_counts_good_and_failed_contours() -> None:
    good = JudgedContour("pt_1", "SpinalCord", 0.9, ())
    failed = replace(good, patient="pt_2", dice=0.3, flags=("VOLUME_LOW",))
    between = replace(good, patient="pt_3", dice=0.6)
    text = page([good, failed, between], 30, "command", "2026-01-02")
    shares = [
        "0 of 1 (0.0%; 0.0% to 97.5%)",
        "0 of 1 (0.0%; 0.0% to 97.5%)",
        "1 of 1 (100.0%; 2.5% to 100.0%)",
    ]
    assert f"| SpinalCord | 3 | 0.600 | {' | '.join(shares)} |" in text
    assert "| pt_2 | SpinalCord | 0.300 | VOLUME_LOW |" in text
