"""What lies beside the slices: destroyed slices by their names, other studies, other patients."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from oarflow.errors import Code, Refusal
from oarflow.intake import read_study, read_volume, studies
from tests.phantoms import make_series, write_instance, write_series


def named(folder: Path, form: str) -> list[Path]:
    """The phantom's files, each named after its number."""
    paths = write_series(folder, make_series())
    return [path.rename(folder / form.format(k)) for k, path in enumerate(paths)]


def codes(folder: Path) -> set[Code]:
    with pytest.raises(Refusal) as refusal:
        read_volume(folder)
    return {finding.code for finding in refusal.value.findings}


@pytest.mark.parametrize("size", [0, 120])
@pytest.mark.parametrize(
    "form", ["IM{:04d}", "{:08d}", "1.2.840.9.{}", "i{}.CTDC.1", "slice{:03d}.img", "{:032x}"]
)
def test_end_slices_that_were_destroyed_are_missed(form: str, size: int, tmp_path: Path) -> None:
    for path in named(tmp_path, form)[-3:]:
        path.write_bytes(path.read_bytes()[:size])
    assert codes(tmp_path) == {Code.UNREADABLE_FILE}


def test_other_names_are_strangers_and_told_of(tmp_path: Path) -> None:
    named(tmp_path, "IM{:04d}")
    (tmp_path / "README").write_text("exported today")
    (tmp_path / "LOCKFILE").touch()
    (tmp_path / "IM0001.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("a", "b")
    (note,) = read_volume(tmp_path).notes
    assert "1 empty" in note
    assert "2 not DICOM" in note
    assert "1 an archive" in note


def test_a_stranger_in_another_folder_is_no_slice(tmp_path: Path) -> None:
    named(tmp_path / "ct", "IM{:04d}")
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "IM0099").touch()
    assert read_volume(tmp_path).volume.hu.shape[0] == 16


def test_a_folder_with_an_archive_and_a_link_alone_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_series(tmp_path / "elsewhere", make_series())
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    shutil.make_archive(str(folder / "ct"), "zip", tmp_path / "elsewhere")
    shutil.make_archive(str(folder / "old"), "tar", tmp_path / "elsewhere")
    with pytest.raises(Refusal) as refusal:
        read_volume(folder)
    assert refusal.value.code is Code.NO_DICOM
    assert "2 an archive" in refusal.value.detail
    assert "1 a link to a folder" in refusal.value.detail


@pytest.mark.parametrize("patient", ["one", "two"])
def test_a_series_under_two_studies_is_refused_under_both(patient: str, tmp_path: Path) -> None:
    series = make_series(slices=24)
    other = make_series(slices=24, patient=patient)
    for dataset, of in zip(series[12:], other[12:], strict=True):
        dataset.StudyInstanceUID = "2.25.44"
        dataset.PatientID, dataset.PatientName = of.PatientID, of.PatientName
    write_series(tmp_path, series)
    found = studies(tmp_path)
    assert len(found) == 2
    for study in found:
        with pytest.raises(Refusal) as refusal:
            read_study(study)
        said = {finding.code for finding in refusal.value.findings}
        assert said == {Code.MIXED_STUDIES} | ({Code.MIXED_PATIENTS} if patient == "two" else set())


def test_an_object_under_two_studies_is_refused_and_a_third_study_is_not(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_series())
    copies = make_series(seed="other")
    copies[4].SOPInstanceUID = make_series()[4].SOPInstanceUID
    copies[4].file_meta.MediaStorageSOPInstanceUID = copies[4].SOPInstanceUID
    write_series(tmp_path / "b", copies)
    write_series(tmp_path / "c", make_series(seed="third"))
    outcomes = []
    for study in studies(tmp_path):
        try:
            outcomes.append(str(len(read_study(study).volume.hu)))
        except Refusal as refusal:
            outcomes.append(str(refusal.code))
    assert sorted(outcomes) == ["16", "MIXED_STUDIES", "MIXED_STUDIES"]


def test_candidates_are_told_apart(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_series())
    thin = make_series(step_mm=1.5)
    for k, dataset in enumerate(thin):
        dataset.SeriesInstanceUID = "2.25.700012345"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.7.{k + 1}"
    write_series(tmp_path / "b", thin)
    with pytest.raises(Refusal) as refusal:
        read_volume(tmp_path)
    assert refusal.value.code is Code.AMBIGUOUS_SERIES
    first, second = refusal.value.detail.removeprefix("candidates: ").split("; ")
    assert first != second
    assert any("1.50 mm apart, UID ending in 00012345" in said for said in (first, second))
    assert any("3.00 mm apart" in said for said in (first, second))


@pytest.mark.parametrize(("patient", "told"), [("one", False), ("two", True)])
def test_objects_of_another_patient_are_told_of(patient: str, told: bool, tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_series())
    for modality in ("RTSTRUCT", "PT"):
        beside = make_series(slices=1, patient=patient, seed=modality, tags={"Modality": modality})
        write_instance(tmp_path / f"{modality}.dcm", beside[0])
    notes = read_volume(tmp_path).notes
    expected = ("other objects in the folder name another patient: 1 PT, 1 RTSTRUCT",)
    assert notes == (expected if told else ())
    assert "two" not in " ".join(notes)
