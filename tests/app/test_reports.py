"""Reports of real runs: there where asked for, listed, refusals included, never a stray .dcm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pydicom
import pytest

from app.__main__ import main
from tests.app.workbench import app

ALL = "outputs: {report_html: true, report_pdf: true, report_dicom: true}"
REPORTS = {"report.html": "REPORT_HTML", "report.pdf": "REPORT_PDF"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "app.yaml"
    path.write_text(ALL)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_reports_come_with_the_contours(
    ct: Path, models: Path, tmp_path: Path, config: Path
) -> None:
    out = tmp_path / "out"
    done = app("-i", ct, "-o", out, "-m", models, "--config", config, "--quiet")
    assert done.returncode == 0, done.stderr
    assert names(out) == {"rtstruct.dcm", "report.dcm", "result.json", *REPORTS}
    result = json.loads((out / "result.json").read_text())
    for item in result["outputs"]:
        digest = hashlib.sha256((out / item["path"]).read_bytes()).hexdigest()
        assert digest == item["sha256"]
    kinds = {item["path"]: item["kind"] for item in result["outputs"]}
    assert kinds == {"rtstruct.dcm": "RTSTRUCT", "report.dcm": "ENCAPSULATED_PDF", **REPORTS}
    assert "report" in result["run"]["stages"]
    report, rtstruct = (pydicom.dcmread(out / name) for name in ("report.dcm", "rtstruct.dcm"))
    assert report.PatientID == rtstruct.PatientID == "SECRETID"
    assert report.SourceInstanceSequence[0].ReferencedSOPInstanceUID == rtstruct.SOPInstanceUID
    page = (out / "report.html").read_text(encoding="utf-8")
    assert rtstruct.SOPInstanceUID in page
    for organ in ("Parotid_L", "Parotid_R"):
        assert organ in page
    ran = {part["name"]: part for part in result["run"]["networks"]}
    assert next(part["role"] for part in ran.values()) == "localizer"
    assert {part["model"]["name"] for part in result["organs"]} < set(ran)
    for part in ran.values():
        assert f"{part['role']}; sha256 {part['sha256']}" in page
    for secret in (b"SECRET", b"19501231"):
        assert secret not in (out / "report.html").read_bytes()
        assert secret not in (out / "report.pdf").read_bytes()


def test_a_refusal_is_reported_without_any_dcm(models: Path, tmp_path: Path, config: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    out = tmp_path / "out"
    done = app("-i", tmp_path / "in", "-o", out, "-m", models, "--config", config, "--quiet")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("oarflow: refused: NO_DICOM (files looked at: 1; ")
    assert done.stderr.count("\n") == 1
    assert names(out) == {"result.json", *REPORTS}
    result = json.loads((out / "result.json").read_text())
    assert {item["path"]: item["kind"] for item in result["outputs"]} == REPORTS
    assert all(item["sop_instance_uid"] is None for item in result["outputs"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert result["refusal"]["code"] in page
    assert result["refusal"]["remedy"] in page


def test_none_is_made_where_none_is_asked_for(ct: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = app("-i", ct, "-o", out, "-m", models, "--quiet")
    assert done.returncode == 0
    assert names(out) == {"rtstruct.dcm", "result.json"}


def broken(*_: object) -> None:
    raise OSError(5, "the report's disk broke")


def test_a_report_that_cannot_be_written_fails_the_run(
    ct: Path, models: Path, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a SEG would: a requested report is never left out without a message."""
    monkeypatch.setattr("oarflow.report.files.write_reports", broken)
    out = tmp_path / "out"
    flags = ["-i", ct, "-o", out, "-m", models, "--config", config, "--quiet"]
    assert main([*map(str, flags), "--progress", "none"]) == 1
    assert names(out) == {"result.json"}
    assert json.loads((out / "result.json").read_text())["fault"]["kind"] == "OSError"


def test_a_refusal_stays_a_refusal_without_its_report(
    models: Path, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oarflow.report.files.write_reports", broken)
    (tmp_path / "in").mkdir()
    out = tmp_path / "out"
    flags = ["-i", tmp_path / "in", "-o", out, "-m", models, "--config", config, "--quiet"]
    assert main([*map(str, flags), "--progress", "none"]) == 3
    result = json.loads((out / "result.json").read_text())
    assert result["refusal"]["code"] == "NO_FILES"
    assert result["outputs"] == []
