"""A child's CT: the whole study is flagged, its organs are not, and nobody can miss it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from oarflow.node.execution.order import End, RunOutcome
from oarflow.node.execution.results import conclude
from oarflow.node.states import State
from tests.app.workbench import app, site_settings, write_ct
from tests.oarflow.report.cases import text_of

MESSAGE = "Patient is 12 years old; the networks were trained on adults."
SETTINGS = "strict: true\noutputs: {report_html: true, report_pdf: true, report_dicom: true}\n"


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("child") / "ct"
    return write_ct(folder, tags={"PatientName": "A^B", "PatientID": "1", "PatientAge": "012Y"})


@pytest.fixture(scope="module")
def run(child: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of the results of a strict run, and the program that ended."""
    folder = tmp_path_factory.mktemp("run")
    settings = site_settings(folder, models, SETTINGS)
    out = folder / "out"
    return out, app("-i", child, "-o", out, "-m", models, "-c", settings)


def result(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "result.json").read_text())
    return found


def test_it_is_said_once_and_no_organ_is_suspicious(run: tuple[Path, Any]) -> None:
    (flag,) = result(run[0])["study_flags"]
    assert flag == {
        "code": "PATIENT_UNDER_18",
        "scope": "study",
        "message": MESSAGE,
        "values": {"age_years": 12, "limit_years": 18},
    }
    organs = result(run[0])["organs"]
    assert [(organ["status"], organ["flags"]) for organ in organs] == [("segmented", [])] * 2


def test_strict_ends_with_status_4_and_a_node_holds_the_study(run: tuple[Path, Any]) -> None:
    out, ran = run
    assert ran.returncode == 4
    document = result(out)
    assert document["exit_status"] == 4
    outcome = RunOutcome(1, "token", End.EXITED, str(out), exit_status=4)
    found = conclude(outcome, document["input"]["series_instance_uid"])
    assert found.state is State.HELD
    assert "study flag PATIENT_UNDER_18" in found.reason


def test_without_strict_it_is_delivered(child: Path, models: Path, tmp_path: Path) -> None:
    assert app("-i", child, "-o", tmp_path / "out", "-m", models).returncode == 0
    assert [flag["code"] for flag in result(tmp_path / "out")["study_flags"]] == [
        "PATIENT_UNDER_18"
    ]


def test_the_rtstruct_says_so_of_itself_and_of_every_region(run: tuple[Path, Any]) -> None:
    dataset = pydicom.dcmread(run[0] / "rtstruct.dcm")
    assert MESSAGE in dataset.StructureSetDescription
    assert len(dataset.StructureSetROISequence) == 2
    for item in dataset.StructureSetROISequence:
        assert item.ROIDescription == (
            "segmented; whole study: patient is 12 years old, networks learned from adults"
        )


def test_the_reports_begin_with_it(run: tuple[Path, Any]) -> None:
    page = (run[0] / "report.html").read_text()
    body = page[page.index("<main>") :]
    assert body.index(MESSAGE) < body.index("<h1>")


def test_the_pdf_and_the_one_for_the_pacs_begin_with_it(
    run: tuple[Path, Any], tmp_path: Path
) -> None:
    out = run[0]
    enclosed = tmp_path / "enclosed.pdf"
    enclosed.write_bytes(pydicom.dcmread(out / "report.dcm").EncapsulatedDocument)
    for pdf in (out / "report.pdf", enclosed):
        first = text_of(pdf)[0]
        assert first.index(f"Whole study: {MESSAGE}") < first.index("organs contoured")


def test_the_terminal_says_it_before_the_table(run: tuple[Path, Any]) -> None:
    said = run[1].stdout
    assert said.index("PATIENT_UNDER_18") < said.index("Parotid_L")
