"""Dose from folders: every organ and case of the reference is counted or named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import write_references
from oarflow.dose.figures import DVH_GY
from tests.oarflow.dose.plan import rtdose
from tests.oarflow.evaluation.cases import made_up

BOTH = ("Parotid_L", "SpinalCord")


def contours(folder: Path, organs: tuple[str, ...]) -> None:
    case = made_up()
    masks = {organ: case.masks[organ] for organ in organs}
    drawn = Case(case.id, case.ct, case.spacing_zyx, masks, origin_lps=case.origin_lps)
    write_ct(case, folder / "ct")
    write_references(drawn, folder / "ct", folder / "rs.dcm")


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_nothing_of_the_reference_vanishes(tmp_path: Path) -> None:
    for name in ("all", "one organ", "no folder", "empty", "no dose", "other frame"):
        contours(tmp_path / "r" / name, BOTH)
        rtdose(tmp_path / "r" / name / "dose.dcm")
    (tmp_path / "r" / "no dose" / "dose.dcm").unlink()
    rtdose(tmp_path / "r" / "other frame" / "dose.dcm", FrameOfReferenceUID="1.2.3")
    rtdose(tmp_path / "r" / "one organ" / "dose.dcm", DoseType="EFFECTIVE")
    for name, organs in (("all", BOTH), ("one organ", BOTH[:1]), ("no dose", BOTH)):
        contours(tmp_path / "p" / name, organs)
    contours(tmp_path / "p" / "other frame", BOTH)
    (tmp_path / "p" / "empty").mkdir()
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 4
    rows = {(row["case"], row["organ"]): row for row in read(tmp_path / "out" / "dose.csv")}
    assert set(rows) == {
        (name, organ) for name in ("all", "one organ", "no folder", "empty") for organ in BOTH
    }
    missed = {key for key, row in rows.items() if row["predicted_mean_gy"] == ""}
    assert missed == {
        ("one organ", "SpinalCord"),
        *((name, organ) for name in ("no folder", "empty") for organ in BOTH),
    }
    page = (tmp_path / "out" / "dose.md").read_text()
    assert "| Parotid_L | 2 | 2 |" in page
    assert "| SpinalCord | 1 | 3 |" in page
    assert "**Not read, in no figure: no dose, other frame**" in page
    assert "no dose was not read: 0 RTDOSE of a whole plan" in page
    assert "other frame was not read: the RTDOSE has another frame of reference" in page
    assert "one organ, not contoured: SpinalCord." in page
    assert "no folder has no prediction (there is no folder)" in page
    assert "Dose type: EFFECTIVE in 1 cases, PHYSICAL in 3 cases." in page


def test_a_histogram_is_written_as_figures(tmp_path: Path) -> None:
    contours(tmp_path / "r" / "a", BOTH[:1])
    contours(tmp_path / "p" / "a", BOTH[:1])
    rtdose(tmp_path / "r" / "a" / "dose.dcm", DoseGridScaling="0.01")
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 0
    rows = {row["contour"]: row for row in read(tmp_path / "out" / "dvh.csv")}
    assert set(rows) == {"clinical", "predicted"}
    assert len(rows["clinical"]) == 4 + len(DVH_GY)
    # Dose in Gy: (x + 50 + 100 z) / 100, columns 27 to 32 of 2 mm from -39, slices 6 to 10 from 5.
    x, z = -39 + 2.0 * np.arange(27, 33), 5 + 3.0 * np.arange(6, 11)
    dose = (x + 50 + 100 * z[:, None]) / 100
    for gy in (0.0, 20.0, 24.0, 29.5, 33.0, 40.0):
        expected = float(np.mean(dose >= gy))
        assert float(rows["clinical"][f"{gy:g} Gy"]) == pytest.approx(expected, abs=1e-3)
    assert {**rows["clinical"], "contour": ""} == {**rows["predicted"], "contour": ""}


def test_no_organ_in_common_is_a_page_and_no_picture(tmp_path: Path) -> None:
    contours(tmp_path / "r" / "a", BOTH[:1])
    contours(tmp_path / "p" / "a", BOTH[1:])
    rtdose(tmp_path / "r" / "a" / "dose.dcm")
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 0
    assert "| Parotid_L | 0 | 1 |" in (tmp_path / "out" / "dose.md").read_text()
    assert not (tmp_path / "out" / "dose.png").exists()
    (tmp_path / "r" / "a" / "dose.dcm").unlink()
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 3


def test_the_page_says_what_to_check_in_a_dose(tmp_path: Path) -> None:
    for side in ("r", "p"):
        contours(tmp_path / side / "a", BOTH)
    changes = {"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0], "DoseSummationType": "MULTI_PLAN"}
    rtdose(
        tmp_path / "r" / "a" / "dose.dcm",
        ImagePositionPatient=[50, -40, 8],
        GridFrameOffsetVector=[8 + 4 * k for k in range(15)],
        **changes,
    )
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "dose.md").read_text()
    assert "a, RTDOSE: it sums several plans (MULTI_PLAN)." in page
    assert "a, RTDOSE: its frame offsets are taken as z coordinates" in page
