"""Legitimate variation is read, and read rightly."""

import os
import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from oarflow.intake import FileClass, SeriesRules, read_study, read_volume, studies
from tests.phantoms import head, make_series, write_series


def body_masked(x, y, z):
    return np.where((x / 62) ** 2 + (y / 74) ** 2 < 1, head(x, y, z), -1024.0)


def with_implant(x, y, z):
    return np.where((x - 20) ** 2 + (y - 10) ** 2 + z**2 < 36, 31743.0, head(x, y, z))


@pytest.mark.parametrize(
    "changes",
    [
        {"step_mm": 0.5, "slices": 40},
        {"step_mm": 10.0},
        {"offsets_mm": [*range(0, 18, 3), *range(18, 50, 5)]},
        {"offsets_mm": [*range(0, 10), *range(10, 22, 3)]},
        {"rows": 256, "columns": 256, "spacing_yx": (0.8, 0.8), "slices": 10},
        {"rows": 511, "columns": 511, "spacing_yx": (0.4, 0.4), "slices": 10},
        {"rows": 1024, "columns": 1024, "spacing_yx": (0.2, 0.2), "slices": 10},
        {"rows": 47, "columns": 61},
        {"spacing_yx": (3.0, 4.5)},
        {"slope": 1.001},
        {"signed": True, "intercept": 0.0},
        {"patient_position": None},
        {"tags": {"PatientPosition": ""}},
        {"tags": {"SeriesNumber": "", "InstanceNumber": "1"}},
        {"tags": {"RescaleType": None}},
        {"tags": {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}},
        {"anatomy": body_masked},
        {"anatomy": with_implant, "bits_stored": 16},
        {"rows": 128, "columns": 128, "spacing_yx": (4.0, 4.0)},
        {"tags": {"GantryDetectorTilt": "0"}},
        {"orientation": (1, 0, 0, 0, 0.99999998, 0.00017453)},
    ],
    ids=lambda changes: ", ".join(
        f"{name}={getattr(value, '__name__', value)}" for name, value in changes.items()
    ),
)
def test_variation_is_accepted(tmp_path, changes):
    write_series(tmp_path, make_series(**changes))
    volume = read_volume(tmp_path).volume
    assert volume.hu.dtype == np.float32
    assert volume.hu.max() > 800, "the ball in the phantom is seen"
    assert volume.hu.min() >= -1024


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda uid: uid.name,
)
def test_transfer_syntaxes_give_the_same_voxels(tmp_path, syntax):
    write_series(tmp_path / "plain", make_series())
    write_series(tmp_path / "packed", make_series(transfer_syntax=syntax))
    plain, packed = (read_volume(tmp_path / name) for name in ("plain", "packed"))
    np.testing.assert_array_equal(plain.volume.hu, packed.volume.hu)
    assert packed.notes == ()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian])
def test_files_without_preamble_are_read(tmp_path, syntax):
    write_series(tmp_path, make_series(transfer_syntax=syntax), preamble=False)
    assert (tmp_path / "CT.0000.dcm").read_bytes()[:2] == b"\x08\x00"
    assert read_volume(tmp_path).volume.hu.shape == (16, 48, 48)


def test_depth_names_and_strangers_do_not_matter(tmp_path):
    paths = write_series(tmp_path, make_series())
    for k, path in enumerate(paths):
        folder = tmp_path / f"deep{k % 3}" / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / f"image {k}")
    (tmp_path / "task.json").write_text('{"id": 1}')
    (tmp_path / "x.tags").write_text("{}")
    (tmp_path / "x.dcm.json").write_text("{}")
    (tmp_path / "done").touch()
    (tmp_path / ".hidden.dcm").write_bytes(b"?")
    (tmp_path / ".dir").mkdir()
    (tmp_path / ".dir" / "CT.dcm").write_bytes(b"?")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / os.fsdecode(b"bytes \xff\xfe.txt")).write_text("not UTF-8")
    account = read_volume(tmp_path).account
    assert account.as_json()["classes"] == {
        "ct_slice": 16,
        "empty": 1,
        "not_dicom": 4,
        "hidden": 2,
        "link_not_followed": 1,
        "not_a_regular_file": 1,
    }
    assert account.total == 25


def test_other_objects_of_the_study_are_counted_and_left(tmp_path):
    write_series(tmp_path / "ct", make_series())
    scout = make_series(
        slices=1, tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesNumber": "1"}
    )
    scout[0].SeriesInstanceUID = "1.2.3.1"
    scout[0].SOPInstanceUID = "1.2.3.1.1"
    write_series(tmp_path / "scout", scout)
    plan = make_series(slices=1, tags={"Modality": "RTPLAN"})
    plan[0].SOPClassUID = pydicom.uid.RTPlanStorage
    plan[0].SOPInstanceUID = "1.2.3.2.1"
    write_series(tmp_path / "plan", plan)
    short = make_series(slices=2, seed="short", tags={"SeriesNumber": "7"})
    for dataset in short:
        dataset.StudyInstanceUID = scout[0].StudyInstanceUID
    write_series(tmp_path / "short", short)
    intake = read_volume(tmp_path)
    assert intake.account.as_json() == {
        "total": 20,
        "classes": {
            "ct_slice": 16,
            "ct_slice_of_other_series": 2,
            "localizer": 1,
            "other_dicom_object": 1,
        },
        "other_objects": {"RT Plan Storage": 1},
    }
    assert any(note.startswith("not chosen: series 7, 2 slices") for note in intake.notes)


def test_a_copied_slice_is_kept_once(tmp_path):
    paths = write_series(tmp_path, make_series())
    shutil.copy(paths[3], tmp_path / "again.dcm")
    intake = read_volume(tmp_path)
    assert intake.volume.hu.shape[0] == 16
    assert intake.account.count(FileClass.DUPLICATE) == 1


def test_the_same_image_under_another_uid_is_kept_once(tmp_path):
    series = make_series()
    copy = pydicom.dcmread(write_series(tmp_path, series)[5])
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    copy.save_as(tmp_path / "copy.dcm")
    intake = read_volume(tmp_path)
    assert intake.volume.hu.shape[0] == 16
    assert intake.account.count(FileClass.DUPLICATE) == 1


def test_values_outside_the_reconstruction_circle_become_air(tmp_path):
    def circle(x, y, z):
        return np.where(x**2 + y**2 > 92**2, -3024.0, head(x, y, z))

    series = make_series(signed=True, anatomy=circle)
    for dataset in series:
        dataset.add_new("PixelPaddingValue", "US", 63536)  # -2000, as GE writes it
    stored = series[0].pixel_array
    assert stored.min() == -2000
    write_series(tmp_path, series)
    hu = read_volume(tmp_path).volume.hu
    assert hu[0, 0, 0] == -1024
    assert hu.min() == -1024


def test_a_padding_value_amid_tissue_is_not_taken_for_padding(tmp_path):
    series = make_series(signed=True, intercept=0.0, tags={"PixelPaddingValue": 40})
    write_series(tmp_path, series)
    assert (read_volume(tmp_path).volume.hu == 40).any()


def test_lossy_compression_is_noted(tmp_path):
    write_series(tmp_path, make_series(tags={"LossyImageCompression": "01"}))
    assert any("with loss" in note for note in read_volume(tmp_path).notes)


def test_steps_longer_than_the_slices_are_thick_are_noted(tmp_path):
    write_series(tmp_path, make_series()[::2], order="shuffled")
    notes = read_volume(tmp_path, SeriesRules(min_slices=8)).notes
    assert notes == ("slices 3 mm thick are up to 6.00 mm apart",)


def test_blank_masked_slices_at_the_ends_are_accepted(tmp_path):
    def masked(x, y, z):
        return np.where(np.abs(z) < 18, head(x, y, z), -1024.0)

    write_series(tmp_path, make_series(anatomy=masked))
    assert read_volume(tmp_path).volume.hu[0].max() == -1024


def test_each_study_is_read_by_itself(tmp_path):
    write_series(tmp_path / "a", make_series())
    write_series(tmp_path / "b", make_series(seed="other", patient="two", slices=12))
    (tmp_path / "note.txt").write_text("hello")
    found = studies(tmp_path)
    read = {study.digest: read_study(study) for study in found}
    assert sorted(i.volume.hu.shape[0] for i in read.values()) == [12, 16]
    assert all(i.account.total == 29 for i in read.values())
    assert all(len(digest) == 16 for digest in read)


def test_progress_ends_with_all_slices(tmp_path):
    write_series(tmp_path, make_series())
    seen = []
    read_volume(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 16) for k in range(1, 17)]


def test_contradicting_position_is_accepted_where_asked_for(tmp_path):
    write_series(tmp_path, make_series(orientation=(1, 0, 0, 0, 1, 0), patient_position="HFP"))
    rules = SeriesRules(ignore_patient_position=True)
    assert read_volume(tmp_path, rules).volume.hu.shape[0] == 16
