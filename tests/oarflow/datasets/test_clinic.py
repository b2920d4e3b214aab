"""A clinic's own DICOM as cases: names mapped, doubts refused, the MR on its own grid."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import MRImageStorage, generate_uid

from oarflow import datasets
from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.clinic import MR_RULE
from oarflow.datasets.references import write_references
from oarflow.errors import Refusal
from oarflow.evaluation.comparison.folders import compare
from oarflow.intake import read_volume
from oarflow.intake.mr import mr_rule
from oarflow.organs import load_catalogue
from oarflow.rtstruct.provenance import derived_uid
from oarflow.run.settings import Settings
from oarflow.training.data.data_set import TrainingData
from oarflow.volume import Image
from tests.oarflow.evaluation.cases import made_up
from tests.oarflow.rtstruct.two_frames import VARIANTS, move_to_mr

SHOWN = {"SpinalCord": "Myelon", "Parotid_L": "Parotis", "Parotid_R": "Right Parotid"}


def write_patient(folder: Path, position: str = "HFS") -> Case:
    """A CT in a subfolder and an RTSTRUCT whose names are a clinic's."""
    case = made_up(folder.name)
    write_ct(case, folder / "CT", position)
    write_references(case, folder / "CT", folder / "RS.dcm")
    structures = dcmread(folder / "RS.dcm")
    for item in structures.StructureSetROISequence:
        item.ROIName = SHOWN.get(item.ROIName, item.ROIName)
    dcmwrite(folder / "RS.dcm", structures, enforce_file_format=True)
    return case


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_a_clinics_folder_is_a_data_set(tmp_path: Path, position: str) -> None:
    truth = write_patient(tmp_path / "a", position)
    write_patient(tmp_path / "b", position)
    cases = datasets.open(tmp_path)
    assert list(cases) == ["a", "b"]
    case = cases["a"]
    assert np.array_equal(case.ct, truth.ct)
    assert case.spacing_zyx == pytest.approx(truth.spacing_zyx)
    assert case.origin_lps == pytest.approx(truth.origin_lps)
    # "Parotis" says no side: it is reported and taken for nothing.
    assert list(case.masks) == ["SpinalCord", "Parotid_R", "Larynx"]
    assert case.unmapped == ("Parotis",)
    for organ in case.masks:
        assert np.array_equal(case.masks[organ], truth.masks[organ]), organ
    assert case.mr is None
    assert list(datasets.open(tmp_path / "a" / "CT")) == ["CT"]


def test_a_doubtful_name_is_no_label(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    structures = dcmread(tmp_path / "a" / "RS.dcm")
    for item in structures.StructureSetROISequence:
        if item.ROIName == "Right Parotid":
            item.ROIName = "Right Parotid ?"
    dcmwrite(tmp_path / "a" / "RS.dcm", structures, enforce_file_format=True)
    case = datasets.open(tmp_path)["a"]
    assert list(case.masks) == ["SpinalCord", "Larynx"]
    assert case.unmapped == ("Parotis", "Right Parotid ?")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_region_of_another_frame_is_no_label(tmp_path: Path, variant: str) -> None:
    write_patient(tmp_path / "a")
    structures = dcmread(tmp_path / "a" / "RS.dcm")
    move_to_mr(structures, "Right Parotid", variant)
    dcmwrite(tmp_path / "a" / "RS.dcm", structures, enforce_file_format=True)
    case = datasets.open(tmp_path)["a"]
    assert list(case.masks) == ["SpinalCord", "Larynx"]
    assert "another frame of reference" in case.remarks["Right Parotid"]


def test_regions_that_are_all_of_another_frame_are_refused(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    structures = dcmread(tmp_path / "a" / "RS.dcm")
    for item in structures.StructureSetROISequence:
        item.ReferencedFrameOfReferenceUID = "1.2.3"
    dcmwrite(tmp_path / "a" / "RS.dcm", structures, enforce_file_format=True)
    with pytest.raises(ValueError, match=r"all 4 regions .* on another frame of reference"):
        datasets.open(tmp_path)["a"]


def test_of_several_cts_the_structure_set_names_one(tmp_path: Path) -> None:
    truth = write_patient(tmp_path / "a")
    other = made_up("cbct")
    write_ct(other, tmp_path / "a" / "CBCT")
    for path in (tmp_path / "a" / "CBCT").iterdir():
        image, ct = dcmread(path), dcmread(tmp_path / "a" / "CT" / path.name)
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
            setattr(image, keyword, ct[keyword].value)
        dcmwrite(path, image, enforce_file_format=True)
    with pytest.raises(Refusal, match="AMBIGUOUS_SERIES"):
        read_volume(tmp_path / "a")
    case = datasets.open(tmp_path)["a"]
    assert np.array_equal(case.ct, truth.ct)
    for organ in case.masks:
        assert np.array_equal(case.masks[organ], truth.masks[organ]), organ
    for side in ("reference", "prediction"):
        shutil.copytree(tmp_path / "a", tmp_path / side / "a")
    found = compare(tmp_path / "reference", tmp_path / "prediction", load_catalogue())
    assert found.cases[0].failed == ""
    assert {one.dsc for one in found.scores} == {1.0}


def test_two_structure_sets_on_one_ct_are_refused(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    second = dcmread(tmp_path / "a" / "RS.dcm")
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dcmwrite(tmp_path / "a" / "RS2.dcm", second, enforce_file_format=True)
    with pytest.raises(ValueError, match="2 of 2 RTSTRUCT refer to the CT; leave exactly one"):
        datasets.open(tmp_path)["a"]


def test_a_structure_set_on_another_ct_is_not_taken(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    write_patient(tmp_path / "b")
    (tmp_path / "b" / "RS.dcm").replace(tmp_path / "a" / "RS.dcm")
    with pytest.raises(ValueError, match="0 of 1 RTSTRUCT refer to the CT"):
        datasets.open(tmp_path)["a"]


def test_a_patient_without_contours_is_said(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    (tmp_path / "a" / "RS.dcm").unlink()
    with pytest.raises(ValueError, match="there is no RTSTRUCT beside the CT") as caught:
        datasets.open(tmp_path)["a"]
    assert "leave exactly one" not in str(caught.value)


def rename(path: Path, names: list[str]) -> None:
    """Give the regions of an RTSTRUCT other names; regions beyond these lose their contours."""
    structures = dcmread(path)
    for k, item in enumerate(structures.StructureSetROISequence):
        item.ROIName = names[k] if k < len(names) else f"empty {k}"
    for item in structures.ROIContourSequence[len(names) :]:
        del item.ContourSequence
    dcmwrite(path, structures, enforce_file_format=True)


def test_names_that_are_all_unknown_are_listed_with_the_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_patient(tmp_path / "a")
    write_patient(tmp_path / "b")
    rename(tmp_path / "a" / "RS.dcm", ["Parotis", "PTV 70", "Zunge?", "x"])
    with pytest.raises(ValueError, match="means an organ") as caught:
        datasets.open(tmp_path)["a"]
    for said in ("'PTV 70'", "'Parotis'", "'Zunge?'", "'x'", "aliases", "models/organs.yaml"):
        assert said in str(caught.value)
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 4
    assert "'PTV 70'" in (tmp_path / "out" / "report.txt").read_text()
    data = TrainingData.open(tmp_path)
    assert [case.name for case in data.unsplit()] == ["b"]
    assert "a is left out" in caplog.text
    assert "'PTV 70'" in caplog.text


def test_a_structure_set_without_a_closed_contour_is_said(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    rename(tmp_path / "a" / "RS.dcm", [])
    with pytest.raises(ValueError, match="the RTSTRUCT holds no closed contour"):
        datasets.open(tmp_path)["a"]


def test_a_ct_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    (tmp_path / "a" / "CT" / "ct0005.dcm").unlink()
    with pytest.raises(Refusal, match="MISSING_SLICE"):
        datasets.open(tmp_path)["a"]


def write_mr(folder: Path, like: Path, slices: int = 10) -> np.ndarray:
    """Coronal MR slices, files named against their order. Returns voxels (slice, row, column)."""
    voxels = np.arange(slices * 18 * 16, dtype=np.int16).reshape(slices, 18, 16)
    folder.mkdir()
    ct = dcmread(like)
    series = derived_uid("mr", folder.name)
    for k in range(slices):
        slice_: Dataset = pydicom.Dataset()
        slice_.update(ct)
        slice_.file_meta = ct.file_meta
        slice_.SOPClassUID = slice_.file_meta.MediaStorageSOPClassUID = MRImageStorage
        slice_.SOPInstanceUID = derived_uid(series, str(k))
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.SeriesInstanceUID, slice_.Modality = series, "MR"
        slice_.FrameOfReferenceUID = derived_uid("mr frame", "x")
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        slice_.ImagePositionPatient = [-4, 10 + 3 * k, 20]
        slice_.PixelSpacing = [1.5, 2]
        slice_.Rows, slice_.Columns = 18, 16
        slice_.RescaleIntercept, slice_.RescaleSlope = 0, 1
        slice_.PixelData = voxels[k].tobytes()
        dcmwrite(folder / f"{99 - k}.dcm", slice_, enforce_file_format=True)
    return voxels


def value_at(mr: Image, point: tuple[float, float, float]) -> float:
    """The voxel whose centre lies at a point (x, y, z)."""
    centres = {
        tuple(np.round(mr.grid.index_to_patient((k, j, i)), 3)): mr.voxels[k, j, i]
        for k, j, i in np.ndindex(mr.voxels.shape)
    }
    return float(centres[point])


def test_the_mr_is_read_by_position_on_its_own_grid(tmp_path: Path) -> None:
    write_patient(tmp_path / "a")
    voxels = write_mr(tmp_path / "a" / "MR", tmp_path / "a" / "CT" / "ct0001.dcm")
    mr = datasets.open(tmp_path)["a"].mr
    assert mr is not None
    assert sorted(mr.voxels.ravel()) == sorted(voxels.ravel())
    # Rows run to the left, columns to the feet, slices to the back.
    for k, j, i in ((0, 0, 0), (2, 1, 3), (9, 17, 15)):
        assert value_at(mr, (-4.0 + 2 * i, 10.0 + 3 * k, 20 - 1.5 * j)) == voxels[k, j, i]


def test_of_several_mr_series_the_application_s_rule_takes_one(tmp_path: Path) -> None:
    ct = tmp_path / "a" / "CT" / "ct0001.dcm"
    write_patient(tmp_path / "a")
    write_mr(tmp_path / "a" / "MR", ct)
    write_mr(tmp_path / "a" / "localizers", ct, slices=3)
    write_mr(tmp_path / "a" / "MR2", ct, slices=12)
    mr = datasets.open(tmp_path)["a"].mr
    assert mr is not None
    assert mr.voxels.size == 12 * 18 * 16
    write_mr(tmp_path / "a" / "MR3", ct, slices=12)
    with pytest.raises(ValueError, match="2 series match the MR selection rule"):
        datasets.open(tmp_path)["a"].mr


def test_the_rule_is_the_application_s() -> None:
    assert mr_rule(Settings().mr) == MR_RULE
