"""The self-test passes on the sample, and fails for what it is there to find."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from oarflow.locations import SAMPLE
from oarflow.run.self_test import RECORD_NAME, passed
from oarflow.run.self_test_judge import Verdict, judge
from tests.app.workbench import REPOSITORY, app

SAMPLE_FOLDER = REPOSITORY / SAMPLE
MODELS = REPOSITORY / "models"


@pytest.fixture
def produced(tmp_path: Path) -> Path:
    """The expected results, as if they had just been made."""
    folder = tmp_path / "produced"
    shutil.copytree(SAMPLE_FOLDER / "expected", folder)
    return folder


def failed(produced: Path) -> set[str]:
    """Names of the checks that fail, by their first word."""
    checks = judge(SAMPLE_FOLDER, produced, MODELS)
    assert not passed(checks)
    return {check.name.split()[0] for check in checks if check.verdict is Verdict.FAILED}


def edit(produced: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    """Change the RTSTRUCT, and give result.json its new digest."""
    dataset = pydicom.dcmread(produced / "rtstruct.dcm")
    change(dataset)
    dataset.save_as(produced / "rtstruct.dcm")
    document = json.loads((produced / "result.json").read_text())
    content = (produced / "rtstruct.dcm").read_bytes()
    document["outputs"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    (produced / "result.json").write_text(json.dumps(document))


def moved(axis: int, millimetres: float, sign: float = 1.0) -> Callable[[pydicom.Dataset], None]:
    """Every contour's points, mirrored at 0 where sign is -1, then shifted along an LPS axis."""

    def change(dataset: pydicom.Dataset) -> None:
        for roi in dataset.ROIContourSequence:
            for contour in roi.get("ContourSequence", ()):
                points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
                points[:, axis] = sign * points[:, axis] + millimetres
                contour.ContourData = [f"{value:.4f}" for value in points.ravel()]

    return change


def test_expected_results_agree_with_themselves(produced: Path) -> None:
    checks = judge(SAMPLE_FOLDER, produced, MODELS)
    assert passed(checks)
    assert {"placement", "CT", "files"} <= {check.name for check in checks}
    assert any(check.name == "side Parotid_L" for check in checks)


def midline() -> float:
    """x of the clinicians' spinal cord, from its raw contours."""
    reference = pydicom.dcmread(SAMPLE_FOLDER / "reference.dcm")
    names = {roi.ROINumber: roi.ROIName for roi in reference.StructureSetROISequence}
    cord = next(
        roi
        for roi in reference.ROIContourSequence
        if names[roi.ReferencedROINumber] == "SpinalCord"
    )
    points = [float(x) for contour in cord.ContourSequence for x in contour.ContourData[::3]]
    return float(np.mean(points))


def test_a_mirrored_patient(produced: Path) -> None:
    edit(produced, moved(0, 2 * midline(), -1.0))
    assert {"contours", "place", "side"} <= failed(produced)


def test_a_shift_by_a_voxel(produced: Path) -> None:
    edit(produced, moved(0, 4.7))
    found = failed(produced)
    assert "contours" in found
    assert found <= {"contours", "place"}


def test_a_shift_between_slices(produced: Path) -> None:
    edit(produced, moved(2, 1.0))
    assert "placement" in failed(produced)


def test_a_file_that_was_touched(produced: Path) -> None:
    with (produced / "rtstruct.dcm").open("ab") as file:
        file.write(b"\0\0")
    assert "files" in failed(produced)


def test_other_voxels(produced: Path) -> None:
    document = json.loads((produced / "result.json").read_text())
    document["input"]["pixel_sha256"] = "0" * 64
    (produced / "result.json").write_text(json.dumps(document))
    assert failed(produced) == {"CT"}


def test_a_run_without_contours(produced: Path) -> None:
    (produced / "rtstruct.dcm").unlink()
    assert failed(produced) == {"run"}


def test_a_lost_organ(produced: Path) -> None:
    document = json.loads((produced / "result.json").read_text())
    document["organs"][0]["status"] = "failed"
    (produced / "result.json").write_text(json.dumps(document))
    assert failed(produced) == {"contours"}


def test_networks_of_the_site_s_own_are_not_taken_for_the_release_s(produced: Path) -> None:
    document = json.loads((produced / "result.json").read_text())
    for organ in document["organs"]:
        if organ["model"] is not None:
            organ["model"]["sha256"] = "0" * 64
    (produced / "result.json").write_text(json.dumps(document))
    checks = judge(SAMPLE_FOLDER, produced, MODELS)
    compared = [check for check in checks if check.name.startswith("contours ")]
    assert {check.verdict for check in compared} == {Verdict.NOT_COMPARED}
    assert not passed(checks)


def test_by_command_with_a_record(tmp_path: Path) -> None:
    ran = app("--self-test", "-o", tmp_path / "record", "-m", MODELS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "self-test passed" in ran.stdout
    record = json.loads((tmp_path / "record" / RECORD_NAME).read_text())
    assert record["passed"]
    assert [path.name for path in (tmp_path / "record").iterdir()] == [RECORD_NAME]


def test_networks_that_find_nothing_fail_it(models: Path, tmp_path: Path) -> None:
    ran = app("--self-test", "-o", tmp_path / "record", "-m", models)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "self-test FAILED" in ran.stdout
    assert not json.loads((tmp_path / "record" / RECORD_NAME).read_text())["passed"]
