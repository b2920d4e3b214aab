"""What is damaged, missing, moved or there twice is named, and the rest is reported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from oarflow import datasets
from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.openkbp import ORGANS, convert, load_npz
from oarflow.datasets.references import write_references
from tests.oarflow.datasets.made_up import (
    STRAIGHT,
    hu,
    inside,
    write_hanseg,
    write_nifti,
    write_pddca,
)
from tests.oarflow.datasets.test_openkbp import write_patient
from tests.oarflow.evaluation.cases import made_up


def report(data: Path, out: Path, status: int = 4) -> str:
    """The report's text; by default some cases could not be read."""
    assert main(["data", "report", str(data), "--output", str(out)]) == status
    return (out / "report.txt").read_text()


def stored(path: Path) -> bytes:
    case = made_up()
    arrays = {ORGANS[organ]: case.masks[organ] for organ in ("Parotid_L", "Parotid_R")}
    np.savez_compressed(
        path, ct=case.ct, body=case.body, spacing_mm=np.array(case.spacing_zyx), **arrays
    )
    return path.read_bytes()


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "overwritten": lambda data: data[:200] + bytes(60) + data[260:],
    "no archive": lambda data: b"nothing of the kind",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_npz_is_named_and_the_rest_reported(tmp_path: Path, fault: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    whole = stored(data / "pt_1.npz")
    (data / "pt_2.npz").write_bytes(FAULTS[fault](whole))
    np.savez(data / "pt_3.npz", foo=1)
    shown = report(data, tmp_path / "out")
    assert "of these not read      2" in shown
    for name in ("pt_2", "pt_3"):
        assert f"{name}  {name}.npz: damaged, or no patient" in shown
    assert "Parotid_L" in shown


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda mask: mask * 0.3, "greatest value is 0.3"),
        (lambda mask: mask[:-1], "Parotid_L \\("),
        (lambda mask: mask * np.array([1, 2] * 7)[:, None, None], "the values 0, 1, 2"),
    ],
)
def test_a_stored_mask_that_is_none_of_this_ct_is_refused(
    tmp_path: Path, values: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    stored(tmp_path / "pt_1.npz")
    with np.load(tmp_path / "pt_1.npz") as arrays:
        held = dict(arrays)
    held[ORGANS["Parotid_L"]] = values(held[ORGANS["Parotid_L"]])
    np.savez(tmp_path / "pt_1.npz", **held)
    with pytest.raises(ValueError, match=said):
        load_npz(tmp_path / "pt_1.npz").masks["Parotid_L"]


def test_openkbp_as_published_is_a_layout(tmp_path: Path) -> None:
    for name in ("pt_12", "pt_3"):
        write_patient(tmp_path / "csv" / name)
    cases = datasets.open(tmp_path / "csv")
    assert list(cases) == ["pt_3", "pt_12"]
    case = cases["pt_3"]
    # Three published voxels, (z, y, x) with z toward the head.
    assert np.argwhere(case.body).tolist() == [[0, 5, 7], [0, 6, 7], [127, 5, 7]]
    assert (case.ct[127, 5, 7], case.ct[0, 6, 7]) == (24, 3071)  # published 1024 is 24 HU
    assert list(case.masks) == ["Parotid_L", "Larynx"]
    assert np.argwhere(case.masks["Parotid_L"]).tolist() == [[0, 5, 7]]
    (path,) = convert(tmp_path / "csv" / "pt_3", tmp_path / "npz")
    same = load_npz(path)
    assert np.array_equal(same.ct, case.ct)
    assert same.spacing_zyx == case.spacing_zyx
    assert list(datasets.open(tmp_path / "csv" / "pt_12")) == ["pt_12"]
    (tmp_path / "csv" / "pt_12" / "voxel_dimensions.csv").unlink()
    shown = report(tmp_path / "csv", tmp_path / "out")
    assert "of these not read      1" in shown


def test_two_parts_with_the_same_names_keep_both(tmp_path: Path) -> None:
    place = write_hanseg(tmp_path, "case_01")
    shutil.copytree(place, tmp_path / "set_2" / "case_01")
    (tmp_path / "set_2" / "case_01" / "case_01_OAR_SpinalCord.seg.nrrd").unlink()
    write_hanseg(tmp_path, "case_02", mr=False)
    cases = datasets.open(tmp_path)
    assert list(cases) == ["case_02", "set_1_case_01", "set_2_case_01"]
    assert "SpinalCord" in cases["set_1_case_01"].masks
    assert "SpinalCord" not in cases["set_2_case_01"].masks
    shutil.copytree(tmp_path / "set_1" / "case_02", tmp_path / "set_1_case_01")
    with pytest.raises(ValueError, match="several patients are called set_1_case_01"):
        datasets.open(tmp_path)


def test_patients_without_a_ct_are_listed(tmp_path: Path) -> None:
    write_hanseg(tmp_path / "hs", "case_01", mr=False)
    place = write_hanseg(tmp_path / "hs", "case_02", mr=False)
    (place / "case_02_IMG_CT.nrrd").unlink()
    shown = report(tmp_path / "hs", tmp_path / "out1")
    assert "case_02  it holds no CT" in shown
    assert "cases                  2" in shown
    for name in ("p1", "p2", "p3"):
        write_pddca(tmp_path / "pd", name)
    (tmp_path / "pd" / "p2" / "img.nrrd").unlink()
    shutil.copy(tmp_path / "pd" / "p3" / "img.nrrd", tmp_path / "pd" / "p3" / "ct.nrrd")
    shown = report(tmp_path / "pd", tmp_path / "out2")
    assert "p2    0 CT; exactly one is needed" in shown
    assert "p3    2 CT; exactly one is needed" in shown
    case = made_up()
    write_ct(case, tmp_path / "own" / "a" / "ct")
    write_references(case, tmp_path / "own" / "a" / "ct", tmp_path / "own" / "a" / "rs.dcm")
    (tmp_path / "own" / "b").mkdir()
    assert "b     it holds no DICOM file" in report(tmp_path / "own", tmp_path / "out3")
    assert list(datasets.open(tmp_path / "pd")) == ["p1"]


def test_a_moved_structure_set_is_said(tmp_path: Path) -> None:
    case = made_up()
    place = tmp_path / "data" / "a"
    write_ct(case, place / "ct")
    write_references(case, place / "ct", place / "rs.dcm")
    structures = dcmread(place / "rs.dcm")
    names = {item.ROINumber: item.ROIName for item in structures.StructureSetROISequence}
    for item in structures.ROIContourSequence:
        if names[item.ReferencedROINumber] == "Parotid_L":
            for contour in item.ContourSequence:
                values = [float(value) for value in contour.ContourData]
                values[2::3] = [value + 1 for value in values[2::3]]
                contour.ContourData = values
    structures.save_as(place / "rs.dcm")
    found = datasets.open(tmp_path / "data")["a"]
    # A third of a slice: each contour goes back to its own.
    assert np.array_equal(found.masks["Parotid_L"], case.masks["Parotid_L"])
    assert list(found.remarks) == ["Parotid_L"]
    shown = report(tmp_path / "data", tmp_path / "out", status=0)
    assert "a     Parotid_L  5 contours on no slice's plane" in shown


def nnunet(folder: Path, labels: object) -> Path:
    points = STRAIGHT.points()
    values = np.zeros(points.shape[:3], dtype=np.uint8)
    for value, organ in ((1, "Parotid_L"), (2, "Parotid_R"), (3, "SpinalCord")):
        values[inside(organ)(points) > 0] = value
    write_nifti(folder / "labelsTr" / "hn_7.nii.gz", values, STRAIGHT)
    write_nifti(folder / "imagesTr" / "hn_7_0000.nii.gz", hu(points), STRAIGHT)
    about = {"channel_names": {"0": "CT"}, "labels": labels}
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def test_nnunets_regions_are_all_their_values(tmp_path: Path) -> None:
    labels = {"background": 0, "Parotid_L": [1, 2], "SpinalCord": [3], "Parotid_R": 2}
    case = datasets.open(nnunet(tmp_path, labels))["hn_7"]
    points = STRAIGHT.points()
    left, right, cord = (
        inside(organ)(points).astype(bool) for organ in ("Parotid_L", "Parotid_R", "SpinalCord")
    )
    assert np.array_equal(case.masks["Parotid_L"], left | right)
    assert np.array_equal(case.masks["Parotid_R"], right)
    assert np.array_equal(case.masks["SpinalCord"], cord)


@pytest.mark.parametrize("labels", [["x"], {"a": {"b": 1}}, {"a": ["b"]}, {"a": None}, 3])
def test_labels_that_are_none_are_said(tmp_path: Path, labels: object) -> None:
    with pytest.raises(ValueError, match=r"dataset\.json names no channels or no labels"):
        datasets.open(nnunet(tmp_path, labels))
