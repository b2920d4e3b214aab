"""Values of label maps and masks: whole numbers of the table, or a reason."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from oarflow import datasets
from oarflow.datasets.label_values import label_map, organ_mask
from tests.oarflow.datasets.made_up import STRAIGHT, inside, write_nifti
from tests.oarflow.datasets.test_label_grids import (
    LABELS,
    POINTS,
    changed,
    data_set,
    patient,
    values,
)

ORGANS = ("Parotid_L", "Parotid_R", "SpinalCord")


def as_float(array: object) -> np.ndarray:
    return np.asarray(array, dtype=np.float32)


def test_values_within_float_error_are_rounded(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    write_nifti(path, as_float(values() * (1 + 1e-6) - 1e-5), STRAIGHT)
    case = datasets.open(tmp_path)["a"]
    for organ in ORGANS:
        assert np.array_equal(case.masks[organ], inside(organ)(POINTS) > 0)


def test_values_that_scl_slope_scales_are_what_they_mean(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    write_nifti(path, np.asarray(values() * 10, dtype=np.uint8), STRAIGHT)
    changed(path, lambda h: struct.pack_into("<f", h, 112, 0.1))
    case = datasets.open(tmp_path)["a"]
    for organ in ORGANS:
        assert np.array_equal(case.masks[organ], inside(organ)(POINTS) > 0)
    changed(path, lambda h: struct.pack_into("<f", h, 112, 0.05))
    with pytest.raises(ValueError, match=r"holds values that are not whole: 0\.5, 1\.5"):
        datasets.open(tmp_path)["a"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.5, "not whole: 1.5"),
        (0.7, "not whole: 0.7"),
        (4, r"dataset\.json does not name: 4 \(1 voxels\)"),
        (-1, r"dataset\.json does not name: -1"),
        (1e20, r"dataset\.json does not name: 1e\+20|100000002004087734272"),
        (np.nan, "no numbers"),
        (np.inf, "no numbers"),
    ],
)
def test_any_other_value_is_refused_by_name(tmp_path: Path, value: float, said: str) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    array = as_float(values())
    array[2, 3, 4] = value
    write_nifti(path, array, STRAIGHT)
    with pytest.raises(ValueError, match=rf"a\.nii\.gz: holds values.*({said})"):
        datasets.open(tmp_path)["a"]


def test_colours_and_images_are_no_label_map(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    image = SimpleITK.GetImageFromArray(np.stack([values()] * 3, axis=-1), isVector=True)
    image.SetSpacing((2, 2.5, 4))
    image.SetOrigin((-60, -50, -40))
    SimpleITK.WriteImage(image, str(path))
    with pytest.raises(ValueError, match=r"a\.nii\.gz: 3 channels; one is needed"):
        datasets.open(tmp_path)["a"]
    with pytest.raises(ValueError, match="an image, no label map"):
        label_map(np.arange(70000.0).reshape(7, 100, 100), {1})


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ([0, 0, 0], [False] * 3),
        ([0, 1, 1], [False, True, True]),
        ([0, 255, 0], [False, True, False]),
        ([0.0, 254.9999, 0.00001], [False, True, False]),
        ([0.2, 0.5, 1.0], [False, True, True]),
        ([0, 3, 3], [False, True, True]),
    ],
)
def test_masks_of_one_organ(stored: list[float], expected: list[bool]) -> None:
    assert organ_mask(np.array(stored)).tolist() == expected
    if all(float(value).is_integer() for value in stored):
        assert organ_mask(np.array(stored, dtype=np.uint8)).tolist() == expected


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ([0, 1, 2], "the values 0, 1, 2"),
        ([0, -1, 1], "negative value -1"),
        ([0, 0.1, 0.1], "greatest value is 0.1"),
        ([0, 128.4, 255], "the values 0, 128.4, 255"),
        ([0, 1.5, 0], "the values 0, 1.5"),
        ([0, np.nan, 1], "no numbers"),
    ],
)
def test_what_may_mean_something_else_is_no_mask(stored: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        organ_mask(np.array(stored)[:, None])


def test_a_label_map_in_place_of_an_organ_s_mask_is_named(tmp_path: Path) -> None:
    path = patient(tmp_path).with_name("Parotid_L.nii.gz")
    write_nifti(path, values(), STRAIGHT)
    with pytest.raises(ValueError, match=r"Parotid_L\.nii\.gz: holds the values 0, 1, 2, 3"):
        datasets.open(tmp_path)["p"].masks["Parotid_L"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({**LABELS, "Larynx": 3}, "SpinalCord, Larynx share the value 3"),
        ({**LABELS, "Larynx": 4.5}, "no whole number"),
        ({**LABELS, "Larynx": True}, "no whole number"),
        ({**LABELS, "Larynx": -4}, "is -4, not 0 to 65535"),
        ({**LABELS, "Larynx": 70000}, "is 70000"),
        ({**LABELS, "background": 9}, "background has the value 9"),
        ({"Parotid_L": 0, "Parotid_R": 1}, "Parotid_L has the value 0"),
        ({**LABELS, "Larynx": [0, 4]}, "Larynx has the value 0"),
        ({"0": "background", "1": "Parotid_L", "2": "Parotid_L"}, "'Parotid_L' appears twice"),
        ({**LABELS, "Larynx": []}, "'Larynx' has no value"),
        ({**LABELS, "whole": [1, 4], "ignore": 4}, "ignore shares the value 4"),
    ],
)
def test_a_table_that_gives_organs_away_is_refused(
    tmp_path: Path, labels: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        datasets.open(data_set(tmp_path, labels))


def test_a_name_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    data_set(tmp_path)
    text = json.dumps({"channel_names": {"0": "CT"}, "labels": LABELS})
    (tmp_path / "dataset.json").write_text(text.replace('"Parotid_R"', '"Parotid_L"'))
    with pytest.raises(ValueError, match=r"'Parotid_L' .* twice"):
        datasets.open(tmp_path)
