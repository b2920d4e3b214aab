"""Scores and tables on a made-up case; the chain itself on the sample, with real networks."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.as_dicom import PatientPosition
from oarflow.datasets.labels import doubts
from oarflow.datasets.references import write_references
from oarflow.datasets.split import OPENKBP_SPLIT, Split, wrong_references
from oarflow.evaluation.application import FinishedRun, model_files, program_digest, run_application
from oarflow.evaluation.chain.page import markdown, organ_table, write_scores
from oarflow.evaluation.chain.run import CaseScores, evaluate
from oarflow.evaluation.commands.chain import ids_of
from oarflow.evaluation.scoring.outcomes import OrganOutcome, outcomes
from oarflow.locations import ROOT
from oarflow.organs import load_catalogue
from oarflow.structures import Status
from tests.oarflow.evaluation.cases import SHAPE, made_up, result

CASE = made_up()
CATALOGUE = load_catalogue()
ORGANS = frozenset(CASE.masks)


def models_of(folder: Path, organs: Sequence[str]) -> Path:
    for organ in (*organs, "localizer"):
        (folder / organ).mkdir(parents=True)
        card = {
            "role": "localizer" if organ == "localizer" else "segmenter",
            "name": f"test/{organ}",
            "version": "1",
            "sha256": "ab" * 32,
            "organs": [organ],
        }
        (folder / organ / "model.json").write_text(json.dumps(card))
    return folder


def test_scores_worked_out_by_hand() -> None:
    masks = {organ: CASE.masks[organ].copy() for organ in ("SpinalCord", "Parotid_L")}
    masks["SpinalCord"][12] = masks["SpinalCord"][11]  # one slice of ten too many
    masks["Parotid_R"] = CASE.masks["Parotid_L"]  # the wrong side
    said = result(dict.fromkeys(masks, Status.SEGMENTED) | {"Larynx": Status.ABSENT})
    found = {one.organ: one for one in outcomes(CASE, said, masks, ORGANS, CATALOGUE)}
    cord = found["SpinalCord"].score
    assert cord.dsc == pytest.approx(2 * 81 / (81 + 90))
    assert cord.dsc_within == 1.0
    assert cord.reference_cc == pytest.approx(81 * 12 / 1000)
    assert cord.volume_error == pytest.approx(1 / 9)
    assert cord.hd95_mm == pytest.approx(3.0)
    assert [organ for organ, one in found.items() if one.swapped] == ["Parotid_R"]
    assert found["Parotid_L"].score.dsc == 1.0
    larynx = found["Larynx"]
    assert (larynx.status, larynx.score.dsc, larynx.hd95_mm) == ("absent", 0.0, None)
    assert "0.0 cc is outside" in doubts(CASE, CATALOGUE)["Larynx"]


def test_a_run_without_a_result_missed_the_organ() -> None:
    found = outcomes(CASE, result(), {}, ["Parotid_L"], CATALOGUE)
    assert [(one.organ, one.status, one.score.dsc) for one in found] == [
        ("Parotid_L", "no result", 0.0)
    ]


def test_references_off_the_published_ct_or_in_air_are_doubted() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0:5, 8:24, 8:24] = True
    case = replace(CASE, masks={"Bone_Mandible": mask})
    doubt = doubts(case, CATALOGUE)["Bone_Mandible"]
    # Two of its five slices are air where no CT was published: 40 %, mean 3/5 of 20 - 2/5 of 1000.
    assert "40% lies where no CT was published" in doubt
    assert "mean of" not in doubt
    assert 0.6 * 20 - 0.4 * 1000 == -388


def drawn_by(shift: int) -> object:
    """An application that draws the reference, moved by some voxels along x."""

    def run(ct: Path, out: Path, models: Path, flags: Sequence[str]) -> FinishedRun:
        case = made_up()
        moved = {organ: np.roll(mask, shift, 2)[2:13] for organ, mask in case.masks.items()}
        out.mkdir()
        write_references(replace(case.cropped(2, 12), masks=moved), ct, out / "rtstruct.dcm")
        runs.append(ct)
        return FinishedRun(result(dict.fromkeys(moved, Status.SEGMENTED)), out / "rtstruct.dcm")

    runs: list[Path] = []
    run.runs = runs  # type: ignore[attr-defined]
    return run


@pytest.mark.parametrize("position", [position.value for position in PatientPosition])
def test_a_perfect_application_scores_one_in_every_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: str
) -> None:
    monkeypatch.setattr("oarflow.evaluation.chain.run.run_application", drawn_by(0))
    models = models_of(tmp_path / "models", sorted(ORGANS))
    cases = {"pt_1": CASE}
    (found,) = evaluate(cases, ["pt_1"], models, tmp_path / "cache", position=position)
    assert {one.organ for one in found.organs} == ORGANS
    assert all(one.score.dsc == 1.0 and one.hd95_mm == 0.0 for one in found.organs)


def test_a_stopped_evaluation_goes_on_and_a_new_model_starts_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = drawn_by(1)
    monkeypatch.setattr("oarflow.evaluation.chain.run.run_application", application)
    models = models_of(tmp_path / "models", ["Parotid_L"])
    cases = {"pt_1": CASE, "pt_2": made_up("pt_2")}
    first = evaluate(cases, ["pt_1"], models, tmp_path / "cache")
    both = evaluate(cases, ["pt_1", "pt_2"], models, tmp_path / "cache")
    assert both[0].as_json() == first[0].as_json()
    assert len(application.runs) == 2  # type: ignore[attr-defined]
    # A box of 6 columns moved by one: 5 of 6 in common.
    assert both[1].organs[0].score.dsc == pytest.approx(5 / 6)
    models_of(tmp_path / "models" / "more", [])
    (tmp_path / "models" / "Parotid_L" / "model.json").write_text(
        (tmp_path / "models" / "Parotid_L" / "model.json").read_text().replace("ab", "cd")
    )
    evaluate(cases, ["pt_1"], models, tmp_path / "cache")
    assert len(application.runs) == 3  # type: ignore[attr-defined]


def test_the_tables_state_what_a_reader_asks_for(tmp_path: Path) -> None:
    masks = {"Parotid_L": CASE.masks["Parotid_L"], "SpinalCord": np.roll(CASE.masks["Larynx"], 5)}
    said = result(dict.fromkeys(masks, Status.SEGMENTED) | {"Larynx": Status.ABSENT})
    kept = [organ for organ in CASE.masks if organ != "Parotid_R"]
    organs = tuple(outcomes(CASE, said, masks, kept, CATALOGUE))
    cases = [CaseScores("pt_1", 0, None, 12.5, 900.0, organs)]
    models = model_files(models_of(tmp_path / "models", ["Parotid_L"]))
    page = markdown(cases, models, title="Title", command="make evaluate", date="2026-01-01")
    assert "with Dice under 0.3: 1 of 2 (50.0%): pt_1 SpinalCord 0.00" in page
    assert "Left and right swapped: 0\n" in page
    assert "| Parotid_L | 1 | 0 | 1.000 | 1.000 |" in page
    assert "| Larynx | 1 | 1 | 0.000 |" in page
    assert "`make evaluate`" in page
    assert "ab" * 32 in page
    assert "median 12.5, longest 12.5" in page
    write_scores(tmp_path / "t.csv", cases)
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["organ"] for row in rows] == ["SpinalCord", "Parotid_L", "Larynx"]
    assert rows[1]["dice"] == "1.000000"


def drawn_right() -> OrganOutcome:
    """The left parotid, contoured as the reference has it."""
    said = result({"Parotid_L": Status.SEGMENTED})
    masks = {"Parotid_L": CASE.masks["Parotid_L"]}
    (one,) = outcomes(CASE, said, masks, ["Parotid_L"], CATALOGUE)
    return one


def with_score(one: OrganOutcome, **changes: Any) -> OrganOutcome:
    return replace(one, score=replace(one.score, **changes))


def test_the_table_of_three_patients_by_hand() -> None:
    one = drawn_right()
    group = [with_score(one, dsc=value) for value in (0.5, 0.7, 0.9)]
    line = organ_table(group).splitlines()[2]
    assert "| 3 | 0 | 0.700 | 0.700 | 0.200 | 0.600 to 0.800 | 0.500 |" in line


def test_references_that_are_wrong_are_told_apart() -> None:
    one = drawn_right()
    cases = [
        CaseScores(name, 0, None, 1.0, 1.0, (with_score(one, case=name, dsc=dice),))
        for name, dice in (("a", 0.9), ("b", 0.1), ("c", 0.7))
    ]
    wrong = {("Parotid_L", "b"): "another structure", ("Larynx", "a"): "not scored"}
    told = {"title": "t", "command": "c", "date": "d"}
    page = markdown(cases, [], **told, wrong=wrong)
    whole, apart = page.split("## Wrong references")
    assert "| Parotid_L | 3 | 0 | 0.567 |" in whole
    assert "| b | Parotid_L | another structure | 0.100 | segmented |" in apart
    assert "| Parotid_L | 2 | 0 | 0.800 |" in apart
    assert "without these 1 references:" in apart
    assert "Wrong references" not in markdown(cases, [], **told)


def test_the_list_of_wrong_references_is_of_validation_patients(tmp_path: Path) -> None:
    wrong = wrong_references()
    split = Split.read(OPENKBP_SPLIT)
    assert all(reason for reason in wrong.values())
    assert not {patient for _, patient in wrong} & {*split.fit, *split.tune}
    (tmp_path / "t.yaml").write_text("wrong: [{organ: Larynx}]")
    with pytest.raises(ValueError, match="no table of wrong references"):
        wrong_references(tmp_path / "t.yaml")


def test_ids_from_lines_and_from_a_split(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("pt_3\n\n12  # a remark\n")
    assert ids_of(tmp_path / "ids.txt", "tune") == ("pt_3", "pt_12")
    (tmp_path / "split.yaml").write_text("fit: [1]\ntune: [4, 5]\n")
    assert ids_of(tmp_path / "split.yaml", "tune") == ("pt_4", "pt_5")


def test_a_place_without_patients_is_said(tmp_path: Path) -> None:
    assert main(["evaluate", "chain", "--data", str(tmp_path), "--output", str(tmp_path)]) == 3


def test_the_digest_depends_on_the_cards(tmp_path: Path) -> None:
    models = models_of(tmp_path, ["Larynx"])
    before = program_digest(models)
    assert program_digest(models) == before
    assert program_digest(models, {"position": "FFS"}) != before
    card = models / "Larynx" / "model.json"
    plain = json.loads(card.read_text())
    card.write_text(json.dumps(plain | {"validation": {"data": "others", "n": {}, "figures": {}}}))
    assert program_digest(models) == before, "scores of a network do not change its contours"
    card.write_text(json.dumps(plain | {"threshold": 0.4}))
    assert program_digest(models) != before
    (models / "Larynx" / "model.json").write_text("{}")
    assert program_digest(models) != before


def test_the_digest_depends_on_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = models_of(tmp_path / "models", ["Larynx"])
    shutil.copytree(ROOT / "oarflow", tmp_path / "oarflow")
    monkeypatch.setattr("oarflow.evaluation.application.PACKAGE", tmp_path / "oarflow")
    before = program_digest(models)
    assert program_digest(models) == before
    for file in ("plausibility/limits.json", "priors.json", "rtstruct/profiles/eclipse.yaml"):
        (tmp_path / "oarflow" / file).write_text("{}")
        after = program_digest(models)
        assert after != before, file
        before = after


def test_the_application_is_run_as_a_user_runs_it(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    run = run_application(tmp_path / "ct", tmp_path / "out", ROOT / "models")
    assert run.rtstruct is None
    assert run.result.refusal is not None
    assert run.result.refusal.code == "NO_FILES"
