"""NRRD and NIfTI data sets, whatever their axes, come out as the same case in patient space."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from oarflow import datasets
from oarflow.datasets.cases import Case
from oarflow.datasets.image_files import ImageFileSet
from oarflow.datasets.images import placed, read_grid, read_mask, stem
from oarflow.organs import load_catalogue
from tests.oarflow.datasets.made_up import (
    HIGH,
    LOW,
    ORGANS,
    STRAIGHT,
    TURNED,
    Layout,
    hu,
    inside,
    oblique,
    write_hanseg,
    write_mask,
    write_nifti,
    write_nrrd,
    write_oblique,
    write_pddca,
)

CANONICAL = STRAIGHT.points()
COARSE = Layout(spacing_xyz=(4.0, 5.0, 8.0))
# Every way to store a right-handed or left-handed axial volume along the patient's axes.
ALL_LAYOUTS = [
    Layout(tuple(zip(order, signs, strict=True)), COARSE.spacing_xyz)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def check(case: Case) -> None:
    """The case is the made-up patient: voxels, place, sides."""
    assert case.ct.dtype == np.int16
    assert np.array_equal(case.ct, hu(CANONICAL))
    assert case.spacing_zyx == pytest.approx((4.0, 2.5, 2.0))
    assert case.origin_lps == pytest.approx(tuple(LOW))
    last = case.grid.index_to_patient(np.array(case.ct.shape) - 1)
    assert last == pytest.approx(HIGH)
    assert set(case.masks) == set(ORGANS)
    for organ in ORGANS:
        assert np.array_equal(case.masks[organ], inside(organ)(CANONICAL).astype(bool)), organ
    left, right = (np.argwhere(case.masks[f"Parotid_{s}"])[:, 2].mean() for s in "LR")
    assert left > right


def test_hanseg_is_recognised_and_told_apart_by_side(tmp_path: Path) -> None:
    write_hanseg(tmp_path, "case_02", TURNED)
    write_hanseg(tmp_path, "case_01", mr=False)
    cases = datasets.open(tmp_path)
    assert list(cases) == ["case_01", "case_02"]
    check(cases["case_01"])
    check(cases["case_02"])
    assert list(datasets.open(tmp_path / "set_1" / "case_01")) == ["case_01"]
    assert cases["case_01"].mr is None


def test_hansegs_mr_keeps_its_own_oblique_grid(tmp_path: Path) -> None:
    place = write_hanseg(tmp_path, "case_01")
    values = write_oblique(place / "case_01_IMG_MR_T1.nrrd")
    mr = datasets.open(tmp_path)["case_01"].mr
    assert mr is not None
    assert np.array_equal(mr.voxels, values)
    directions, origin = oblique()
    for index in ((0, 0, 0), (11, 17, 19), (3, 5, 7)):
        where = origin + np.array(index)[::-1] @ directions
        assert mr.grid.index_to_patient(index) == pytest.approx(where)
        assert mr.voxels[index] == pytest.approx(where[0], abs=1e-4)


def test_pddca_in_ras_with_masks_of_255(tmp_path: Path) -> None:
    write_pddca(tmp_path / "part1", "0522c0001", TURNED)
    cases = datasets.open(tmp_path)
    assert list(cases) == ["0522c0001"]
    check(cases["0522c0001"])


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=str)
def test_every_order_and_direction_of_axes(tmp_path: Path, layout: Layout) -> None:
    points = layout.points()
    write_nifti(tmp_path / "p" / "ct.nii.gz", hu(points), layout)
    mask = inside("Parotid_L")(points)
    write_nifti(tmp_path / "p" / "segmentations" / "Parotid_L.nii.gz", mask, layout)
    case = datasets.open(tmp_path)["p"]
    canonical = COARSE.points()
    assert np.array_equal(case.ct, hu(canonical))
    assert case.origin_lps == pytest.approx(tuple(LOW))
    assert case.grid.index_to_patient(np.array(case.ct.shape) - 1) == pytest.approx(HIGH)
    found = case.masks["Parotid_L"]
    assert np.array_equal(found, inside("Parotid_L")(canonical).astype(bool))


def test_nnunets_layout_with_labels_by_number(tmp_path: Path) -> None:
    points = STRAIGHT.points()
    labels = np.zeros(points.shape[:3], dtype=np.uint8)
    about = {"background": 0, "Left Parotid": 1, "Parotid_R": 2, "SpinalCord": 3, "GTV": 4}
    for organ, value in (("Parotid_L", 1), ("Parotid_R", 2), ("SpinalCord", 3)):
        labels[inside(organ)(points) > 0] = value
    write_nifti(tmp_path / "labelsTr" / "hn_7.nii.gz", labels, STRAIGHT)
    write_nifti(tmp_path / "imagesTr" / "hn_7_0001.nii.gz", hu(points), STRAIGHT)
    description = {"channel_names": {"0": "MR", "1": "CT"}, "labels": about}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    case = datasets.open(tmp_path)["hn_7"]
    assert case.unmapped == ("GTV",)
    check(case)
    description["channel_names"] = {"0": "PET"}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match="no CT"):
        datasets.open(tmp_path)


def test_names_that_mean_no_organ_or_no_side_are_reported(tmp_path: Path) -> None:
    place = write_pddca(tmp_path, "p1")
    for name in ("Parotid", "GTVp", "Left Parotid"):
        (place / "structures" / f"{name}.nrrd").write_bytes(
            (place / "structures" / "Parotid_R.nrrd").read_bytes()
        )
    case = datasets.open(tmp_path)["p1"]
    assert case.unmapped == ("GTVp", "Left Parotid", "Parotid")
    check(case)


def test_a_segment_cropped_to_itself_is_put_where_it_lies(tmp_path: Path) -> None:
    place = write_hanseg(tmp_path, "case_01")
    whole = inside("Parotid_L")(CANONICAL)
    used = np.argwhere(whole)
    low, high = used.min(axis=0), used.max(axis=0) + 1
    part = whole[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    corner = CANONICAL[tuple(low)]
    header = (
        "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(str(n) for n in part.shape[::-1])}\n"
        "space directions: (2,0,0) (0,2.5,0) (0,0,4)\nkinds: domain domain domain\n"
        f"encoding: raw\nspace origin: ({','.join(map(str, corner))})\n\n"
    )
    (place / "case_01_OAR_Parotid_L.seg.nrrd").write_bytes(header.encode() + part.tobytes())
    check(datasets.open(tmp_path)["case_01"])


def test_masks_are_read_when_asked_for(tmp_path: Path) -> None:
    place = write_hanseg(tmp_path, "case_01")
    case = datasets.open(tmp_path)["case_01"]
    (place / "case_01_OAR_Parotid_L.seg.nrrd").unlink()
    assert case.masks["Parotid_R"].any()
    with pytest.raises(FileNotFoundError, match=r"case_01_OAR_Parotid_L\.seg\.nrrd"):
        case.masks["Parotid_L"]


def test_what_is_no_axial_image_is_said(tmp_path: Path) -> None:
    place = tmp_path / "p"
    write_oblique(place / "ct.nrrd")
    with pytest.raises(ValueError, match=r"ct\.nrrd: its axes are oblique"):
        datasets.open(tmp_path)["p"]
    (place / "ct.nrrd").write_bytes(b"NRRD0004\nnonsense")
    with pytest.raises(ValueError, match="damaged, or no image"):
        datasets.open(tmp_path)["p"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no patients in a known layout"):
        datasets.open(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no folder"):
        datasets.open(tmp_path / "q")
    with pytest.raises(ValueError, match="not one of"):
        stem(tmp_path / "notes.txt")


def test_a_mask_goes_to_another_grid_and_back(tmp_path: Path) -> None:
    write_nrrd(tmp_path / "a.nrrd", inside("Parotid_L")(CANONICAL), STRAIGHT)
    write_nrrd(tmp_path / "b.nrrd", inside("Parotid_L")(COARSE.points()), COARSE)
    grid = read_grid(tmp_path / "b.nrrd")
    found = read_mask(tmp_path / "a.nrrd", grid)
    # Every voxel of the coarse grid lies on one of the fine grid.
    assert np.array_equal(found, inside("Parotid_L")(COARSE.points()).astype(bool))
    write_mask(tmp_path / "c.nii.gz", found, grid)
    again = read_mask(tmp_path / "c.nii.gz", grid)
    assert np.array_equal(found, again)
    assert placed(found, grid, grid) is found


def test_the_catalogue_decides_what_is_taken() -> None:
    assert len(ImageFileSet({}, load_catalogue())) == 0
