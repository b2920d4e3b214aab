"""nnU-Net's data sets: what gives no case is an error with its reason; the ignore label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from oarflow import datasets
from oarflow.commands import main
from oarflow.datasets.resample import coarsened
from tests.oarflow.datasets.made_up import STRAIGHT, inside, write_nifti
from tests.oarflow.datasets.test_label_grids import LABELS, POINTS, data_set, values


def test_a_table_of_paths_is_an_error_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_set(tmp_path)
    (tmp_path / "labelsTr").rename(tmp_path / "labels")
    case = {"images": ["imagesTr/a_0000.nii.gz"], "label": "labels/a.nii.gz"}
    about = {"channel_names": {"0": "CT"}, "labels": LABELS, "dataset": {"a": case}}
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 3
    assert (
        "lists the files of its cases ('dataset'); such lists are not read"
        in capsys.readouterr().err
    )
    (tmp_path / "labelsTr").mkdir()
    with pytest.raises(ValueError, match="such lists are not read"):
        datasets.open(tmp_path)


def test_no_label_map_is_an_error_with_its_reason(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    path.rename(path.with_name("a.tif"))
    with pytest.raises(ValueError, match=r"labelsTr holds no file that is read.*\.tif"):
        datasets.open(tmp_path)
    path.with_name("a.tif").unlink()
    path.parent.rmdir()
    with pytest.raises(ValueError, match="no folder labelsTr"):
        datasets.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is no table"),
        ('{"labels": {"a": 1}}', "channel_names is missing"),
        ('{"channel_names": {"0": "CT"}}', "labels is missing"),
        ('{"channel_names": {"0": "PET"}, "labels": {"a": 1}}', "no CT among its channels: PET"),
    ],
)
def test_what_is_wrong_with_the_table_is_said(tmp_path: Path, text: str, said: str) -> None:
    (data_set(tmp_path) / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        datasets.open(tmp_path)


def test_an_image_without_its_other_half_is_named(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "imagesTr" / "a_0000.nii.gz"
    path.with_name("b_0000.nii.gz").write_bytes(path.read_bytes())
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 4
    assert "b     it has no label map in labelsTr" in (tmp_path / "out" / "report.txt").read_text()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file a_0000\.nii\.gz"):
        datasets.open(tmp_path)["a"]


def test_the_ignore_label_is_neither_an_organ_nor_outside_one(tmp_path: Path) -> None:
    data_set(tmp_path, {**LABELS, "ignore": 4})
    array = values()
    array[15:] = 4
    write_nifti(tmp_path / "labelsTr" / "a.nii.gz", array, STRAIGHT)
    case = datasets.open(tmp_path)["a"]
    assert case.unmapped == ()
    assert case.ignored is not None
    assert np.array_equal(case.ignored, array == 4)
    assert case.cropped(14, 16).ignored is not None
    assert np.array_equal(case.cropped(14, 16).ignored[:, 0, 0], [False, True, True])
    coarse = coarsened(case, (8.0, 5.0, 4.0)).ignored
    assert coarse is not None
    assert not coarse[:6].any()
    assert coarse[8:].all()
    whole = inside("SpinalCord")(POINTS) > 0
    # A contour of the whole cord is right where the map was labelled, and not judged elsewhere.
    assert np.array_equal(case.labelled(whole), case.masks["SpinalCord"])
    assert datasets.open(data_set(tmp_path / "plain"))["a"].ignored is None


def test_folders_that_are_passed_over_are_named(tmp_path: Path) -> None:
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "Parotid_L.nrrd").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="p1: 0 CT; exactly one is needed"):
        datasets.open(tmp_path)
