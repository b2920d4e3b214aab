"""The PDF, and the PDF as a DICOM object."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset

from oarflow.report.content import (
    AGAINST_DERIVED,
    DERIVED_DICE,
    PURPOSE,
    WARNING,
    ModelFigures,
    make_report,
)
from oarflow.report.encapsulated import write_encapsulated
from oarflow.report.files import ReportPlan, write_reports
from oarflow.report.pdf import write_pdf
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.writer import write_rtstruct
from tests.oarflow.report import cases

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FLAG = "<b>bold & \u6f22"
"""Mark-up, and a letter that the built-in fonts lack."""
PROVENANCE = Provenance("0" * 64, "cpu")


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = cases.volume()
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    report = make_report(
        cases.result(found, partner="<b>bold & \u6f22"), found, cases.structures(found)
    )
    write_pdf(path, report)
    return path


def write(path: Path, pdf: Path) -> Dataset:
    write_encapsulated(
        path,
        pdf.read_bytes(),
        cases.volume().source,
        derived_from=[("1.2.840.10008.5.1.4.1.1.481.3", cases.RTSTRUCT_UID)],
        provenance=PROVENANCE,
        when=WHEN,
    )
    return pydicom.dcmread(path)


def test_flags_of_the_study_are_the_first_line(tmp_path: Path) -> None:
    found = cases.volume()
    result = cases.result(found).model_copy(update={"study_flags": (cases.CHILD,)})
    write_pdf(tmp_path / "report.pdf", make_report(result, found, cases.structures(found)))
    first = cases.text_of(tmp_path / "report.pdf")[0]
    assert first.index(f"Whole study: {cases.CHILD.message}") < first.index("OARflow report")


def test_every_page_carries_the_warning(pdf: Path) -> None:
    pages = cases.text_of(pdf)
    assert pages
    for page in pages:
        assert WARNING in page
        assert PURPOSE in page


def test_the_pdf_says_what_the_page_says(pdf: Path) -> None:
    text = "\n".join(cases.text_of(pdf))
    for words in (
        "2 of 3 organs contoured",
        "Parotid_L",
        "12.6 cc",
        "slice 6",
        "1.2.1",
        "<b>bold &",
    ):
        assert words in text
    assert "SECRET" not in text


def test_the_pdf_names_sides_networks_and_what_a_figure_is_against(tmp_path: Path) -> None:
    found = cases.volume()
    result = cases.learned_from_rules(cases.result(found), "Parotid_L")
    figures = {"Parotid_L": ModelFigures(0.96, 31, "labels of nobody", derived=True)}
    write_pdf(tmp_path / "report.pdf", make_report(result, found, cases.structures(found), figures))
    text = " ".join("\n".join(cases.text_of(tmp_path / "report.pdf")).split())
    assert re.search(r"\bR +L +R +L +R +L\b", text)
    assert f"Parotid_L: {DERIVED_DICE}labels of nobody." in text
    assert "licence: CC BY-NC-SA 4.0, commercial use: no" in text
    cell = text_of_cells(tmp_path / "report.pdf")
    assert f"0.96 (n = 31) {AGAINST_DERIVED}" in cell
    for role in ("localizer", "segmenter"):
        assert f"{role}; sha256" in text


def text_of_cells(path: Path) -> str:
    """Text in the order in which it was written, cell by cell."""
    done = subprocess.run(
        ["pdftotext", "-raw", str(path), "-"], capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.split())


def test_the_same_report_gives_the_same_bytes(pdf: Path, tmp_path: Path) -> None:
    found = cases.volume()
    report = make_report(
        cases.result(found, partner="<b>bold & \u6f22"), found, cases.structures(found)
    )
    write_pdf(tmp_path / "again.pdf", report)
    assert (tmp_path / "again.pdf").read_bytes() == pdf.read_bytes()


def test_a_refusal_is_one_page_with_its_remedy(tmp_path: Path) -> None:
    write_pdf(tmp_path / "report.pdf", make_report(cases.refused()))
    text = " ".join("\n".join(cases.text_of(tmp_path / "report.pdf")).split())
    reason = cases.refused().refusal
    assert reason is not None
    assert "The input was refused: NOT_CT" in text
    assert reason.remedy in text


def test_the_object_holds_the_very_pdf(pdf: Path, tmp_path: Path) -> None:
    dataset = write(tmp_path / "report.dcm", pdf)
    length = dataset.EncapsulatedDocumentLength
    assert dataset.EncapsulatedDocument[:length] == pdf.read_bytes()
    assert len(dataset.EncapsulatedDocument) - length in (0, 1)
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_the_object_belongs_to_the_patient_and_the_study(pdf: Path, tmp_path: Path) -> None:
    dataset = write(tmp_path / "report.dcm", pdf)
    assert (dataset.PatientName, dataset.PatientID) == ("SECRET^PATIENT", "SECRETID")
    assert dataset.StudyInstanceUID == "1.2.1"
    assert dataset.SeriesInstanceUID not in ("1.2.2", dataset.SOPInstanceUID)
    assert dataset.Modality == "DOC"
    assert dataset.VerificationFlag == "UNVERIFIED"
    assert WARNING in dataset.DocumentTitle
    assert "FrameOfReferenceUID" not in dataset
    sources = [item.ReferencedSOPInstanceUID for item in dataset.SourceInstanceSequence]
    assert sources == [cases.RTSTRUCT_UID, *cases.volume().source.sop_instance_uids]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(pdf: Path, tmp_path: Path) -> None:
    write(tmp_path / "report.dcm", pdf)
    done = subprocess.run(
        ["dciodvfy", "-new", str(tmp_path / "report.dcm")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "EncapsulatedPDF" in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize("refused", [False, True])
def test_files_are_those_asked_for_and_none_is_called_dcm(tmp_path: Path, refused: bool) -> None:
    found = cases.volume()
    plan = ReportPlan(tmp_path, PROVENANCE, WHEN, html=True, pdf=True, dicom=True)
    if refused:
        files = write_reports(plan, cases.refused())
    else:
        files = write_reports(plan, cases.result(found), found, cases.structures(found))
    names = [item.name for item in files]
    assert names == ["report.html", "report.pdf"] + ([] if refused else ["report.dcm"])
    assert not any(item.path.suffix == ".dcm" for item in files)
    assert [item.sop_instance_uid is None for item in files] == [True, True, False][: len(files)]


def test_the_object_alone_brings_no_pdf(tmp_path: Path) -> None:
    found = cases.volume()
    plan = ReportPlan(tmp_path, PROVENANCE, WHEN, dicom=True)
    (only,) = write_reports(plan, cases.result(found), found, cases.structures(found))
    assert (only.name, only.kind) == ("report.dcm", "ENCAPSULATED_PDF")


def test_report_and_rtstruct_are_series_of_their_own(tmp_path: Path, pdf: Path) -> None:
    found = cases.volume()
    write_rtstruct(
        tmp_path / "rtstruct.dcm",
        cases.structures(found),
        found.source,
        found.grid,
        provenance=PROVENANCE,
        when=WHEN,
    )
    rtstruct = pydicom.dcmread(tmp_path / "rtstruct.dcm")
    report = write(tmp_path / "report.dcm", pdf)
    assert rtstruct.StudyInstanceUID == report.StudyInstanceUID
    assert rtstruct.SeriesInstanceUID != report.SeriesInstanceUID
