"""SLICE's experiment: the same patients on both sides, resumable, and what its page says."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.compare.overlap import overlap
from oarflow.training.configuration import read_configuration
from oarflow.training.data.data_set import OPENKBP_NAME
from oarflow.training.papers.slice.backbone_choice import chosen_backbone, write_choice
from oarflow.training.papers.slice.comparison import at_best, chosen, holm, pairs, signed_rank
from oarflow.training.papers.slice.data_summary import DataSummary
from oarflow.training.papers.slice.measurement import UnitScore
from oarflow.training.papers.slice.page import write_page
from oarflow.training.papers.slice.plan import ExperimentSettings, Part, Unit, parts
from oarflow.training.papers.slice.unit import (
    CROPS_NAME,
    UnitSummary,
    _write_rows,
    read_unit,
    train_unit,
)
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.patients import patient

CLINIC = DataSummary("Our clinic", 31, (0.9, 1.2), (2.5, 2.5))
SETTINGS = ExperimentSettings(("Parotid_L",), ("resnet34", "seresnet34"), patients=0, steps=3)


def test_parts_are_by_patient_and_the_same_for_the_same_seed() -> None:
    found = parts([f"pt_{k}" for k in range(1, 101)], seed=3, count=40)
    assert [len(found[part]) for part in ("fit", "tune", "test")] == [28, 6, 6]
    everyone = [patient for some in found.values() for patient in some]
    assert len(set(everyone)) == 40
    assert parts([f"pt_{k}" for k in range(100, 0, -1)], seed=3, count=40) == found
    assert parts([f"pt_{k}" for k in range(1, 101)], seed=4, count=40) != found
    with pytest.raises(ValueError, match="too few"):
        parts(["a", "b", "c"], seed=1, count=0)


def test_both_sides_differ_in_their_patch_alone() -> None:
    sliced, full = (
        Unit("Larynx", "resnext50", region).configuration(SETTINGS).model_dump()
        for region in ("sliced", "full")
    )
    assert {key for key in sliced if sliced[key] != full[key]} == {"name", "region", "patch_mm"}
    assert sliced["patch_mm"] == (0, 125, 125)
    assert full["patch_mm"] == (0, 500, 500)
    dropped = Unit("Larynx", "resnet34_dropout", "full").configuration(SETTINGS)
    assert (dropped.backbone, dropped.encoder_dropout, dropped.decoder_dropout) == (
        "resnet34",
        0.5,
        0.2,
    )


def test_overlap_by_hand() -> None:
    found, truth = np.array([True, True, True, False]), np.array([False, True, True, True])
    both = overlap(found, truth)
    assert (both.dice, both.iou) == (pytest.approx(4 / 6), pytest.approx(2 / 4))
    empty = overlap(np.zeros(2, dtype=bool), np.zeros(2, dtype=bool))
    assert (empty.dice, empty.iou) == (1.0, 1.0)


def test_tests_by_hand() -> None:
    # Five pairs, all of one sign: 2 of the 2^5 ways of signing them are as far out.
    assert signed_rank([5, 6, 7, 8, 9], [1, 1, 1, 1, 1]) == pytest.approx(2 / 2**5)
    assert signed_rank([1, 2], [1, 2]) == 1.0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_unit_stops_at_its_limit_goes_on_and_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oarflow.training.tuning.validation.SAMPLES", 16)
    cases: dict[Part, list] = {  # type: ignore[type-arg]
        "fit": [patient(1)],
        "tune": [patient(2)],
        "test": [patient(3), patient(4)],
    }
    unit = Unit("Parotid_L", "resnet34", "sliced")
    assert not train_unit(unit, SETTINGS, cases, tmp_path, limit_s=0)
    assert read_unit(tmp_path) is None
    assert train_unit(unit, SETTINGS, cases, tmp_path)
    found = read_unit(tmp_path)
    assert found is not None
    facts, rows = found
    assert (facts.unit, facts.steps) == ("Parotid_L-resnet34-sliced", 3)
    assert [(row.part, row.case) for row in rows] == [
        ("tune", "pt_2"),
        ("test", "pt_3"),
        ("test", "pt_4"),
    ]
    assert all(0 <= row.iou <= row.dice <= 1 for row in rows)
    with (tmp_path / CROPS_NAME).open(newline="", encoding="utf-8") as file:
        assert [row["case"] for row in csv.DictReader(file)] == [f"pt_{k}" for k in range(1, 5)]


def finish(folder: Path, unit: Unit, dice: list[float], tune_iou: float, seconds: float) -> None:
    """A unit's results as if it had been trained."""
    place = folder / unit.name
    place.mkdir(parents=True)
    facts = UnitSummary(unit.name, 1000, 5, 9, {"fit": 28, "tune": 0, "test": 9}, 10 * seconds)
    (place / "unit.json").write_text(json.dumps(asdict(facts)))
    rows = [UnitScore("tune", "t", 0.5, tune_iou, seconds)]
    rows += [UnitScore("test", f"c{k}", value, value / 2, seconds) for k, value in enumerate(dice)]
    _write_rows(rows, place / "scores.csv")


def test_each_side_is_compared_at_its_own_best_backbone(tmp_path: Path) -> None:
    """Crops validate best with the second backbone, full slices with the first."""
    tuned = {("resnet34", "sliced"): 0.5, ("seresnet34", "sliced"): 0.6}
    tuned |= {("resnet34", "full"): 0.6, ("seresnet34", "full"): 0.5}
    for (backbone, region), tune in tuned.items():
        level = 0.8 if backbone == "resnet34" else 0.7
        finish(tmp_path, Unit("Parotid_L", backbone, region), [level] * 5, tune, 1.0)
    (found,) = at_best(SETTINGS, tmp_path)
    assert found.backbone == "seresnet34, resnet34"
    assert (found.sliced.dice, found.full.dice) == pytest.approx((0.7, 0.8))


def test_the_page_says_what_is_found_and_what_is_missing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    def write(settings: ExperimentSettings) -> bool:
        return write_page(settings, CLINIC, tmp_path, page, command="COMMAND", device="cpu")

    assert not write(SETTINGS)
    assert not page.exists()
    better, worse = [0.8, 0.81, 0.82, 0.83, 0.84], [0.7, 0.7, 0.7, 0.7, 0.7]
    for backbone, tune in (("resnet34", 0.5), ("seresnet34", 0.6)):
        finish(tmp_path, Unit("Parotid_L", backbone, "sliced"), better, tune, 1.0)
        if backbone == "resnet34":
            assert not write(SETTINGS)
        finish(tmp_path, Unit("Parotid_L", backbone, "full"), worse, tune, 4.0)
    found = pairs(SETTINGS, tmp_path)
    assert [pair.dice_p for pair in found] == pytest.approx([1 / 16, 1 / 16])
    assert [pair.backbone for pair in chosen(found)] == ["seresnet34"]
    three = ExperimentSettings(("Parotid_L", "Larynx"), SETTINGS.backbones, patients=0, steps=3)
    assert write(three)
    text = page.read_text().replace("\n  ", " ")
    assert "OpenKBP" not in text
    assert "- Data: Our clinic; 31 patients. For each organ, all patients with its contour" in text
    assert "(28, 0, 9 fit, tune and test)" in text
    assert "4 times the paper's 0.9766 mm. The CTs' own pixels are 0.9 to 1.2 mm" in text
    assert "their slices are 2.5 mm apart." in text
    assert "Crops have 32 or 64 pixels (125 or 250 mm)" in text
    assert "Made by `COMMAND`" in text
    assert "4 of 8 networks are trained and measured." in text
    assert "Missing: Larynx-resnet34-sliced, " in text
    assert "| Parotid_L | seresnet34 | 5 | 0.820 ± 0.016 | 0.700 ± 0.000 | +0.120 | 0.062 |" in text
    assert "| Parotid_L | resnet34 | 5 | 0.820 ± 0.016 | 0.700 ± 0.000 | +0.120 | 0.12 |" in text
    assert "| Dice | +12.0 points | +3.2 % |" in text
    assert "| inference | 4.0 x faster (4.0 to 4.0) | 8 x faster (3 to 30) |" in text
    assert "| training | 4.0 x faster | 2.3 x faster |" in text


def test_the_networks_on_crops_choose_the_backbone_and_fit_reads_it(tmp_path: Path) -> None:
    """The mean of both networks would choose resnet34 here, which is the catalogue's too."""
    for backbone, sliced, full in (("seresnet34", 0.6, 0.3), ("resnet34", 0.5, 0.7)):
        finish(tmp_path, Unit("Parotid_L", backbone, "sliced"), [0.8, 0.9], sliced, 1.0)
        finish(tmp_path, Unit("Parotid_L", backbone, "full"), [0.8, 0.9], full, 1.0)
    finish(tmp_path, Unit("Larynx", "resnet34", "sliced"), [0.8, 0.9], 0.5, 1.0)
    finish(tmp_path, Unit("Larynx", "resnet34", "full"), [0.8, 0.9], 0.5, 1.0)
    both = ExperimentSettings(("Parotid_L", "Larynx"), SETTINGS.backbones, patients=0, steps=3)
    found = pairs(both, tmp_path)
    path = tmp_path / "backbones.yaml"
    assert write_choice(both, found, path, "Our clinic")
    assert "Larynx" not in path.read_text(), "one of its backbones is still to come"
    changes = chosen_backbone(path, "slice_paper/Parotid_L", {})
    assert read_configuration("slice_paper/Parotid_L").backbone == "resnet34"
    assert read_configuration("slice_paper/Parotid_L", **changes).backbone == "seresnet34"
    with pytest.raises(ValueError, match="no known backbone for Larynx"):
        chosen_backbone(path, "slice_paper/Larynx", {})
    with pytest.raises(ValueError, match="both say backbone"):
        chosen_backbone(path, "slice_paper/Parotid_L", {"backbone": "resnext50"})
    with pytest.raises(ValueError, match="--backbones is for slice_paper/ORGAN"):
        chosen_backbone(path, "resu", {})
    path.write_text("backbones: {Parotid_L: resnet34_dropout}")
    dropped = chosen_backbone(path, "slice_compact/Parotid_L", {})
    assert (dropped["backbone"], dropped["encoder_dropout"]) == ("resnet34", 0.5)
    path.write_text("- a")
    with pytest.raises(ValueError, match="holds no backbones"):
        chosen_backbone(path, "slice_compact/Parotid_L", {})
    arguments = ["--data", str(tmp_path), "--work", str(tmp_path), "--backbones", str(path)]
    assert main(["train", "fit", "slice_compact/Parotid_L", *arguments]) == 2


def test_results_of_two_data_sets_never_mix(tmp_path: Path) -> None:
    ours, others = (SETTINGS.folder(tmp_path, name) for name in ("Our clinic", "Our Clinic"))
    assert ours != others
    assert ours.name.startswith("slice-our-clinic-")
    first = tmp_path / "slice-0-patients-3-steps-seed-1"
    assert SETTINGS.folder(tmp_path, OPENKBP_NAME).name.startswith("slice-openkbp-")
    first.mkdir()
    assert SETTINGS.folder(tmp_path, OPENKBP_NAME) == first
    assert SETTINGS.folder(tmp_path, "Our clinic") == ours


def test_a_researchers_run_writes_into_its_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(5):
        write_pddca(tmp_path / "data", f"0522c000{k}")
    command = ["experiment", "slice", "--data", str(tmp_path / "data"), "--work", str(tmp_path)]
    command += ["--organs", "Parotid_L", "--backbones", "resnet34", "--steps", "1"]
    assert main(["train", *command]) == 2
    assert "--data-name is needed" in capsys.readouterr().err
    settings = ExperimentSettings(("Parotid_L",), ("resnet34",), 60, 1, 1)
    folder = settings.folder(tmp_path, "Our clinic")
    for region in ("sliced", "full"):
        finish(folder, Unit("Parotid_L", "resnet34", region), [0.8, 0.9], 0.5, 1.0)
    assert main(["train", *command, "--data-name", "Our clinic"]) == 0
    page = (folder / "slice-experiment.md").read_text()
    assert "- Data: Our clinic; 5 patients. For each organ, at most 60 patients with its" in page
    assert "The CTs' own pixels are 2 to 2.5" in page
    assert "their slices are 4 mm apart" in page
    assert "Parotid_L: resnet34" in (folder / "backbones.yaml").read_text()
