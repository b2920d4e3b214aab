"""Regions of another frame of reference: left out, named, and not compared with the CT."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest

from oarflow.commands import main
from oarflow.rtstruct.frames import on_frame
from oarflow.rtstruct.lint import images_below, lint
from oarflow.rtstruct.reader import read_structure_set
from tests.oarflow.rtstruct.cases import Case, ball, make_case
from tests.oarflow.rtstruct.two_frames import MR_FRAME, MR_STORAGE, VARIANTS, move_to_mr

SHAPES = {
    "Parotid_L": ball((25.3, -8.1, 2.2), 15.0),
    "Larynx": ball((0.0, 10.0, 0.0), 9.0),
    "Brainstem": ball((-20.0, 0.0, 0.0), 9.0),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("frames"), SHAPES, slices=24)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_region_of_another_frame_is_left_out_and_named(
    case: Case, tmp_path: Path, variant: str
) -> None:
    dataset = pydicom.dcmread(case.path)
    frame = str(dataset.FrameOfReferenceUID)
    move_to_mr(dataset, "Parotid_L", variant)
    dataset.save_as(tmp_path / "two.dcm")
    read = read_structure_set(tmp_path / "two.dcm")
    kept, gone = on_frame(read, frame)
    assert {roi.name for roi in kept.rois} == {"Larynx", "Brainstem"}
    assert gone == ("Parotid_L",)
    # Without a CT, most regions decide.
    assert on_frame(read, None)[1] == ("Parotid_L",)
    images = images_below(case.path.parent / "ct")
    for ct in (images, None):
        found = {f.rule: f for f in lint(tmp_path / "two.dcm", ct=ct)}
        assert found["REGIONS_ON_OTHER_FRAME"].where == "regions number 1"
        assert not {"BEYOND_IMAGE", "OFF_SLICE", "FRAME_MISMATCH"} & set(found)


@pytest.mark.parametrize("silent", ["of the region", "of the file", "of both"])
def test_a_file_that_names_one_frame_or_none_keeps_its_regions(
    case: Case, tmp_path: Path, silent: str
) -> None:
    dataset = pydicom.dcmread(case.path)
    frame = str(dataset.FrameOfReferenceUID)
    if silent in ("of the region", "of both"):
        for roi in dataset.StructureSetROISequence:
            del roi.ReferencedFrameOfReferenceUID
    if silent in ("of the file", "of both"):
        del dataset.ReferencedFrameOfReferenceSequence
        del dataset.FrameOfReferenceUID
    dataset.save_as(tmp_path / "one.dcm")
    kept, gone = on_frame(read_structure_set(tmp_path / "one.dcm"), frame)
    assert (len(kept.rois), gone) == (3, ())


def test_the_regions_own_frame_wins_over_the_objects(case: Case, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(case.path)
    frame = str(dataset.FrameOfReferenceUID)
    dataset.FrameOfReferenceUID = MR_FRAME
    dataset.save_as(tmp_path / "top.dcm")
    assert on_frame(read_structure_set(tmp_path / "top.dcm"), frame)[1] == ()


@pytest.mark.parametrize("beside", ["MR of another frame", "CT 400 mm away"])
def test_a_whole_study_is_as_good_as_its_ct(case: Case, tmp_path: Path, beside: str) -> None:
    study = tmp_path / "study"
    shutil.copytree(case.path.parent / "ct", study / "b")
    (study / "a").mkdir()
    for number, path in enumerate(sorted((study / "b").iterdir())):
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID = "2.25.111"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"2.25.7{number}"
        if beside.startswith("MR"):
            image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = MR_STORAGE
            image.FrameOfReferenceUID = "2.25.999"
        x, y, z = image.ImagePositionPatient
        image.ImagePositionPatient = [x + 400, y + 400, z]
        image.save_as(study / "a" / path.name)
    alone = lint(case.path, ct=images_below(case.path.parent / "ct"))
    assert lint(case.path, ct=images_below(study)) == alone
    assert main(["lint", str(case.path), "--ct", str(study)]) == 0


def test_only_headers_are_read(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pydicom,
        "dcmread",
        lambda path, read=pydicom.dcmread, **how: (
            read(path, **how) if how.get("stop_before_pixels") else pytest.fail("pixels were read")
        ),
    )
    assert len(images_below(case.path.parent / "ct")) == 24


def test_a_large_file_beside_the_images_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "video.bin").open("wb") as file:
        file.truncate(20 * 2**30)
    assert images_below(tmp_path) == {}
