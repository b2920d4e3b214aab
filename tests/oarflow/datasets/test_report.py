"""The data-set report counts what lies there, and reading ahead keeps its order and its bounds."""

from __future__ import annotations

import csv
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.labels import doubts, facts
from oarflow.datasets.reading import each
from oarflow.datasets.report import RefusedCase, markdown, page, survey, tables, text
from oarflow.organs import load_catalogue
from tests.oarflow.datasets.made_up import TURNED, write_hanseg, write_pddca
from tests.oarflow.evaluation.cases import made_up

CATALOGUE = load_catalogue()


def test_the_report_of_two_patients_by_hand(tmp_path: Path) -> None:
    write_hanseg(tmp_path / "data", "case_01")
    place = write_hanseg(tmp_path / "data", "case_02", TURNED, mr=False)
    (place / "case_02_OAR_SpinalCord.seg.nrrd").unlink()
    (place / "case_02_OAR_Parotid_L.seg.nrrd").rename(place / "case_02_OAR_GTV.seg.nrrd")
    assert main(["data", "report", str(tmp_path / "data"), "--output", str(tmp_path / "out")]) == 0
    shown = (tmp_path / "out" / "report.md").read_text()
    # z from -16 to 16 of the parotids in steps of 4 mm, of the cord from -40 to 40.
    assert "| 1 | SpinalCord | 1 | 21 | 21 | 21 to 21 | " in shown
    assert "| Parotid_R | 2 | 16 | 8 | 8 to 8 | " in shown
    assert "| cases | 2 |" in shown
    assert "| with an MR | 1 |" in shown
    assert "| 4 | 2.5 x 2 | 41 x 61 | 21 | 2 |" in shown
    assert "| SpinalCord | 1 | case_02 | |" in shown
    assert "| GTV | 1 |" in shown
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = {(row["case"], row["organ"]): row for row in csv.DictReader(file)}
    assert len(rows) == 4
    # 11 columns of 2 mm, 9 rows of 2.5 mm, 8 slices of 4 mm.
    assert float(rows["case_01", "Parotid_L"]["volume_cc"]) == pytest.approx(11 * 9 * 8 * 0.02)
    assert rows["case_01", "SpinalCord"]["cut"] == "True"


def test_a_case_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    write_pddca(tmp_path, "p1")
    place = write_pddca(tmp_path, "p2")
    (place / "img.nrrd").write_bytes(b"nothing")
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 4
    shown = (tmp_path / "out" / "report.txt").read_text()
    assert "of these not read      1" in shown
    assert "p2    img.nrrd: damaged, or no image" in shown
    assert main(["data", "report", str(tmp_path / "out"), "--output", str(tmp_path / "out")]) == 3


def test_swapped_sides_gaps_and_empty_masks_are_said() -> None:
    case = made_up()
    cord = case.masks["SpinalCord"].copy()
    cord[7] = False
    masks = {
        "Parotid_L": case.masks["Parotid_R"],
        "Parotid_R": case.masks["Parotid_L"],
        "SpinalCord": cord,
        "Larynx": np.zeros_like(cord),
    }
    found = facts(replace(case, masks=masks), CATALOGUE)
    said = {label.organ: label.doubt for label in found.labels}
    assert "left and right are swapped" in said["Parotid_L"]
    assert "left and right are swapped" in said["Parotid_R"]
    assert "1 slices without contour in its middle" in said["SpinalCord"]
    assert found.empty == ("Larynx",)
    assert "swapped" not in "".join(label.doubt for label in facts(case, CATALOGUE).labels)


def test_all_forms_say_the_same_and_html_is_escaped() -> None:
    found, refused = survey({"<b>": replace(made_up(), id="<b>")}, CATALOGUE)
    assert refused == ()
    shown = tables(found, (RefusedCase("x|y", "why"),), CATALOGUE)
    assert "<b>" in text("T", shown)
    assert "x/y" in markdown("T", shown)
    assert "&lt;b&gt;" in page("T", shown)
    assert "<b>" not in page("T", shown)


def test_reading_ahead_keeps_order_and_bounds() -> None:
    started: list[str] = []
    lock = threading.Lock()

    def work(name: str) -> str:
        with lock:
            started.append(name)
        return name.upper()

    names = [f"c{k}" for k in range(8)]
    for number, (name, result) in enumerate(each(names, work, workers=2)):
        assert (name, result) == (names[number], names[number].upper())
        # Those taken, the one in hand, and two ahead.
        assert len(started) <= number + 3
    cases = {"a": made_up("a"), "b": made_up("b")}
    with pytest.raises(KeyError):
        list(each(["a", "z"], cases.__getitem__))
    with pytest.raises(ValueError, match="workers"):
        list(each(names, work, workers=0))


def test_contours_in_bone_are_doubted_and_where_most_are_in_doubt_all_are() -> None:
    case = replace(made_up(), body=None)
    organs = ("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R")

    def said(hu: dict[str, int]) -> dict[str, str]:
        # Four blocks beside one another, each of 12 x 24 x 8 voxels of 12 mm3: 27.6 cc.
        ct = case.ct.copy()
        masks = {organ: np.zeros(ct.shape, dtype=bool) for organ in organs}
        for place, organ in enumerate(organs):
            masks[organ][1:13, 4:28, 8 * place : 8 * place + 8] = True
            ct[masks[organ]] = hu.get(organ, 20)
        return doubts(replace(case, ct=ct, masks=masks), CATALOGUE)

    assert set(said({}).values()) == {""}
    in_bone = {"Brainstem": "mean of 270 HU", "SpinalCord": "mean of 180 HU"}
    two = said({"Brainstem": 270, "SpinalCord": 180})
    assert two == {**in_bone, "Parotid_L": "", "Parotid_R": ""}
    three = said({"Brainstem": 270, "SpinalCord": 180, "Parotid_R": -700})
    words = "3 of the patient's 4 contours are suspicious"
    assert three == {**in_bone, "Parotid_R": "mean of -700 HU", "Parotid_L": words}
    mandible = replace(case, masks={"Bone_Mandible": np.ones(case.ct.shape, dtype=bool)})
    assert "HU" not in doubts(replace(mandible, ct=case.ct * 0 + 700), CATALOGUE)["Bone_Mandible"]
