"""The linter says of each published file what is known to be odd in it, and nothing of ours."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset

from oarflow.commands import main
from oarflow.rtstruct.lint import RULES, Severity, images_below, lint
from oarflow.rtstruct.lint.table import FAILURES
from oarflow.rtstruct.outlines import MIN_RING_AREA_MM2
from oarflow.rtstruct.profile import load_profile
from tests.oarflow.rtstruct.cases import Case, ball, make_case, shell

DATA = Path(os.environ.get("OARFLOW_DATA", "nowhere"))
needs_data = pytest.mark.skipif(
    not (DATA / "rtstruct").is_dir(), reason="OARFLOW_DATA names no data folder"
)

KNOWN = {
    "varian_aria_radonc_15.5_lung1-001.dcm": {"NESTED_CONTOURS": 19},
    "varian_aria_8.1_prostate_phantom.dcm": {"EMPTY_ROI": 10, "INTERPRETED_TYPE": 3},
    "varian_aria_8.1_prostate_phantom_damaged.dcm": {"UNREADABLE": 1},
    "eclipse_anon_breast.dcm": {"APPROVED": 1, "EMPTY_ROI": 1, "NESTED_CONTOURS": 79},
    "monaco_example_structures.dcm": {
        "NO_PREAMBLE": 1,
        "NO_FILE_META": 1,
        "KEYHOLES": 20,
        "FIRST_POINT_REPEATED": 6,
    },
    "monaco_box_overlap.dcm": {
        "NO_PREAMBLE": 1,
        "DUPLICATE_CONTOURS": 6,
        "OVERLAPPING_CONTOURS": 9,
    },
    "monaco_tiny_vmat.dcm": {"NO_PREAMBLE": 1},
    "mim_7.0.3_dummy.dcm": {"KEYHOLES": 4},
    "mim_7.0.3_nonexistent_ref.dcm": {"NO_IMAGES_REFERENCED": 1},
    "mim_6.3.9_sts002_ct.dcm": {"IMAGES_UNUSED": 251},
    "mim_6.3.9_sts001_mr.dcm": {"NOT_AXIAL": 52},
    "elekta_gammaplan_10.2.1.dcm": {
        "FIRST_POINT_REPEATED": 104,
        "INTERPRETED_TYPE": 4,
        "NAME_CHARACTERS": 1,
    },
    "dicomrttool_template.dcm": {"TOO_FEW_POINTS": 1},
    "oncentra_4.1_points.dcm": {"POINTS_AND_LINES": 2, "SEVERAL_FRAMES": 2, "REJECTED": 1},
    "pydicom_points.dcm": {
        "NO_PREAMBLE": 1,
        "CONTOUR_WITHOUT_IMAGE": 5,
        "NO_IMAGES_REFERENCED": 1,
        "FIRST_POINT_REPEATED": 3,
        "POINTS_AND_LINES": 2,
    },
    "cerr_ibsi1.dcm": {"KEYHOLES": 6, "CONTOUR_WITHOUT_IMAGE": 26, "FIRST_POINT_REPEATED": 26},
    "opentps_modality_rtdose.dcm": {
        "MODALITY_LIES": 1,
        "NO_REFERENCED_FRAME": 1,
        "ROI_NUMBERS": 1,
        "CONTOUR_WITHOUT_IMAGE": 41,
    },
    "rt_utils.dcm": {"NESTED_CONTOURS": 1},
    "microsoft_innereye_gateway.dcm": {
        "KEYHOLES": 48,
        "NOT_FOR_CLINICAL_USE": 5,
        "BAD_DATE": 2,
    },
}
"""What the collection's own description says of each file."""

DANGLING = {
    "varian_aria_rtm_16.1_vmat.dcm": 249,
    "varian_aria_radonc_15.5_lung1-001.dcm": 134,
    "varian_aria_8.1_prostate_phantom.dcm": 92,
    "eclipse_anon_breast.dcm": 98,
}


def counts(path: Path, **options: object) -> dict[str, int]:
    return {finding.rule: finding.count for finding in lint(path, **options)}


@needs_data
@pytest.mark.parametrize("name", KNOWN)
def test_what_is_odd_in_published_files_is_found(name: str) -> None:
    found = counts(DATA / "rtstruct" / name)
    assert {rule: found.get(rule) for rule in KNOWN[name]} == KNOWN[name]


@needs_data
@pytest.mark.parametrize("name", DANGLING)
def test_references_dangle_against_another_study(name: str) -> None:
    ct = images_below(DATA / "dicom" / "neck4_eclipse")
    found = counts(DATA / "rtstruct" / name, ct=ct)
    assert found["DANGLING_REFERENCES"] == DANGLING[name]
    assert found["PATIENT_MISMATCH"] >= 1


@needs_data
def test_a_clinical_file_with_its_own_ct_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    folder = DATA / "dicom" / "neck4_eclipse"
    assert main(["lint", str(folder / "RS_Body_SpinalCord.dcm"), "--ct", str(folder)]) == 0
    assert capsys.readouterr().out == "Nothing found.\n"


SHAPES = {
    "Parotid_L": ball((25.3, -8.1, 2.2), 15.0, soft_mm=6.0),
    "Mandible": shell((2.2, 25.4, 0.3), 20.3, 8.4),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("lint"), SHAPES, slices=24)


@pytest.mark.parametrize("profile", ["generic", "eclipse", "raystation", "monaco", "pinnacle"])
def test_our_own_file_has_neither_error_nor_warning(case: Case, profile: str) -> None:
    findings = lint(
        case.path, ct=images_below(case.path.parent / "ct"), profile=load_profile(profile)
    )
    assert [f for f in findings if f.severity is not Severity.NOTE] == []


def long_numbers(dataset: Dataset) -> None:
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{float(v):.17f}" for v in contour.ContourData]


def no_frame(dataset: Dataset) -> None:
    del dataset.ReferencedFrameOfReferenceSequence


def moved(dataset: Dataset, axis: int, mm: float) -> None:
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        data = [float(v) for v in contour.ContourData]
        data[axis::3] = [v + mm for v in data[axis::3]]
        contour.ContourData = [f"{v:.3f}" for v in data]


def to_pixel_centres(dataset: Dataset) -> None:
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        data = [float(v) for v in contour.ContourData]
        for axis in (0, 1):
            data[axis::3] = [4.0 * round((v - 2.0) / 4.0) + 2.0 for v in data[axis::3]]
        contour.ContourData = [f"{v:.3f}" for v in data]


def set_element(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda dataset: setattr(dataset, keyword, value)


def roi(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda d: setattr(d.StructureSetROISequence[0], keyword, value)


def first_contour(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda d: setattr(d.ROIContourSequence[0].ContourSequence[0], keyword, value)


def same_series(dataset: Dataset) -> None:
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    dataset.SeriesInstanceUID = study.RTReferencedSeriesSequence[0].SeriesInstanceUID


def private(dataset: Dataset) -> None:
    dataset.add_new(0x00090010, "LO", "SOMEBODY")


def latin_without_declaration(dataset: Dataset) -> None:
    del dataset.SpecificCharacterSet
    dataset.add_new("StructureSetDescription", "ST", "M\u00fcnchen".encode("latin-1"))


def bow_tie(dataset: Dataset) -> None:
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    z = contour.ContourData[2]
    contour.ContourData = [0, 0, z, 10, 10, z, 10, 0, z, 0, 10, z]
    contour.NumberOfContourPoints = 4


def speck(dataset: Dataset) -> None:
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    z = contour.ContourData[2]
    contour.ContourData = [0, 0, z, 0.1, 0, z, 0, 0.1, z]
    contour.NumberOfContourPoints = 3


def triangle(mm2: float) -> Callable[[Dataset], None]:
    """A contour of that area, on a slice of its own region."""

    def change(dataset: Dataset) -> None:
        contour = dataset.ROIContourSequence[0].ContourSequence[0]
        z = contour.ContourData[2]
        contour.ContourData = [0, 0, z, 1, 0, z, 0, 2 * mm2, z]
        contour.NumberOfContourPoints = 3

    return change


def skipped(dataset: Dataset) -> None:
    contours = dataset.ROIContourSequence[0].ContourSequence
    dataset.ROIContourSequence[0].ContourSequence = contours[:3] + contours[4:]


def hollow(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence = []


ROWS: list[tuple[int, Callable[[Dataset], None], str]] = [
    (1, to_pixel_centres, "PIXEL_CENTRES"),
    (2, lambda d: moved(d, 0, 90.0), "BEYOND_IMAGE"),
    (3, lambda d: moved(d, 2, 0.3), "OFF_PLANE"),
    (4, no_frame, "NO_REFERENCED_FRAME"),
    (5, set_element("PatientID", "other"), "PATIENT_MISMATCH"),
    (5, set_element("StudyInstanceUID", "1.2.3"), "STUDY_MISMATCH"),
    (5, same_series, "SERIES_REUSED"),
    (6, first_contour("ContourGeometricType", "CLOSEDPLANAR_XOR"), "MIXED_HOLE_STYLES"),
    (7, long_numbers, "DS_TOO_LONG"),
    (9, roi("ROINumber", 9), "ROI_NUMBERS"),
    (9, first_contour("NumberOfContourPoints", 3), "POINT_COUNT"),
    (10, first_contour("ContourData", [1, 2, 3, 4, 5, 6]), "TOO_FEW_POINTS"),
    (11, hollow, "EMPTY_CONTOUR_SEQUENCE"),
    (12, speck, "TINY_CONTOURS"),
    (13, skipped, "SLICES_SKIPPED"),
    (15, set_element("StructureSetLabel", "seventeen letters"), "LABEL_LENGTH"),
    (15, roi("ROIName", "A_name_of_seventeen"), "NAME_LENGTH"),
    (16, roi("ROIName", "MANDIBLE"), "NAME_CLASH"),
    (16, roi("ROIName", "a/b"), "NAME_CHARACTERS"),
    (17, lambda d: delattr(d, "OperatorsName"), "TYPE_2_MISSING"),
    (17, set_element("StructureSetLabel", ""), "TYPE_1_MISSING"),
    (18, roi("ROIGenerationAlgorithm", ""), "GENERATION_ALGORITHM"),
    (19, bow_tie, "CROSSING"),
    (20, set_element("SOPInstanceUID", "1.02.3"), "UID_INVALID"),
    (21, latin_without_declaration, "CHARACTER_SET"),
    (22, set_element("ApprovalStatus", "APPROVED"), "APPROVED"),
    (22, private, "PRIVATE_ELEMENTS"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("row", "change", "rule"), ROWS, ids=[f"{r}-{n}" for r, _, n in ROWS])
def test_each_known_failure_is_found(
    case: Case, row: int, change: Callable[[Dataset], None], rule: str
) -> None:
    dataset = pydicom.dcmread(case.path)
    change(dataset)
    path = case.path.with_name("bent.dcm")
    dataset.save_as(path)
    found = counts(path, ct=images_below(case.path.parent / "ct"))
    assert rule in found
    assert RULES[rule].row == row
    assert rule not in counts(case.path, ct=images_below(case.path.parent / "ct"))


@pytest.mark.parametrize(("mm2", "tiny"), [(0.099, True), (MIN_RING_AREA_MM2, False), (0.3, False)])
def test_what_the_writer_keeps_is_no_speck(case: Case, mm2: float, tiny: bool) -> None:
    dataset = pydicom.dcmread(case.path)
    triangle(mm2)(dataset)
    path = case.path.with_name("small.dcm")
    dataset.save_as(path)
    assert ("TINY_CONTOURS" in counts(path)) is tiny


def test_an_explicit_vr_copy_with_a_large_contour_is_found(case: Case) -> None:
    dataset = pydicom.dcmread(case.path)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    angle = [i / 4000 * 2 * math.pi for i in range(4000)]
    circle = [(100.123 * math.cos(a), 100.123 * math.sin(a), 1.5) for a in angle]
    contour.ContourData = [f"{v:.3f}" for point in circle for v in point]
    contour.NumberOfContourPoints = 4000
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    path = case.path.with_name("explicit.dcm")
    with pytest.warns(UserWarning, match="64 kByte"):
        dataset.save_as(path, implicit_vr=False, little_endian=True)
    found = counts(path)
    assert found["VR_UNKNOWN"] == 1
    assert found["CONTOUR_OVER_64K"] == 1


def test_a_contour_that_runs_to_and_fro_does_not_hold_the_linter_up(case: Case) -> None:
    dataset = pydicom.dcmread(case.path)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{0.001 * (i % 7):.3f}" for i in range(36_000)]
    contour.NumberOfContourPoints = 12_000
    path = case.path.with_name("restless.dcm")
    dataset.save_as(path)
    assert "MANY_POINTS" in counts(path)


def test_every_row_of_the_failures_has_a_rule() -> None:
    assert {rule.row for rule in RULES.values()} == {0, *range(1, len(FAILURES) + 1)}


def test_json_and_exit_statuses(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(case.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exit_status"] == 0
    cut = case.path.with_name("cut.dcm")
    cut.write_bytes(case.path.read_bytes()[:-100])
    assert main(["lint", str(cut), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["findings"][0]["rule"] == "UNREADABLE"
    assert set(document["findings"][0]) >= {"severity", "meaning", "remedy", "where", "count"}
    assert main(["lint", str(case.path), "--profile", "nonesuch"]) == 2
    assert main(["lint", str(case.path.with_name("absent.dcm"))]) == 2
    assert main(["lint", str(case.path), "--ct", str(case.path)]) == 2


def test_findings_hold_no_patient_data(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = pydicom.dcmread(case.path)
    dataset.PatientName = "Secret^Person"
    dataset.PatientID = "SECRET"
    path = case.path.with_name("secret.dcm")
    dataset.save_as(path)
    assert main(["lint", str(path), "--ct", str(case.path.parent / "ct")]) == 1
    assert "ecret^" not in capsys.readouterr().out


@needs_data
def test_the_published_page_is_what_the_linter_says(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "rtstruct-findings.md"
    made = tmp_path / "rtstruct-findings.md"
    arguments = [str(DATA / "rtstruct"), str(DATA / "dicom")]
    other = str(DATA / "dicom" / "neck4_eclipse")
    assert main(["lint", *arguments, "--ct", other, "--table", str(made)]) == 0
    assert made.read_text() == page.read_text()
