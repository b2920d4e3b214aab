"""A label map or mask that lost its place is refused; others lie where they belong."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from oarflow import datasets
from oarflow.commands import main
from oarflow.datasets.images import read_mask
from tests.oarflow.datasets.made_up import (
    STRAIGHT,
    TURNED,
    Layout,
    hu,
    inside,
    write_nifti,
    write_nrrd,
)

LABELS = {"background": 0, "Parotid_L": 1, "Parotid_R": 2, "SpinalCord": 3}
POINTS = STRAIGHT.points()
Header = bytearray


def values(organs: dict[str, int] = LABELS) -> np.ndarray:
    found = np.zeros(POINTS.shape[:3], dtype=np.uint8)
    for organ, value in organs.items():
        if value:
            found[inside(organ)(POINTS) > 0] = value
    return found


def data_set(folder: Path, labels: object = LABELS) -> Path:
    """An nnU-Net data set of one patient, `a`; returns the folder."""
    write_nifti(folder / "imagesTr" / "a_0000.nii.gz", hu(POINTS), STRAIGHT)
    write_nifti(folder / "labelsTr" / "a.nii.gz", values(), STRAIGHT)
    about = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def changed(path: Path, change: Callable[[bytearray], None]) -> None:
    """Write a NIfTI file again with another header."""
    header = bytearray(gzip.decompress(path.read_bytes()))
    change(header)
    path.write_bytes(gzip.compress(bytes(header)))


def sform(header: bytearray, affine: object) -> None:
    """The first three rows of an affine in RAS, and the voxel sizes that go with it."""
    lengths = np.linalg.norm(np.asarray(affine, dtype=float)[:, :3], axis=0)
    struct.pack_into("<3f", header, 80, *lengths)
    struct.pack_into("<12f", header, 280, *np.asarray(affine, dtype=float).ravel())


# RAS rows of the made-up CT: spacing 2, 2.5, 4, first voxel at LPS -60, -50, -40.
RIGHT = [[-2, 0, 0, 60], [0, -2.5, 0, 50], [0, 0, 4, -40]]
LOST = {
    "identity": ([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "spacing, origin, direction"),
    "origin": ([[-2, 0, 0, 0], [0, -2.5, 0, 0], [0, 0, 4, 0]], ": origin."),
    "spacing": ([[-1, 0, 0, 60], [0, -1, 0, 50], [0, 0, 1, -40]], ": spacing."),
    "mirrored": ([[2, 0, 0, 60], [0, -2.5, 0, 50], [0, 0, 4, -40]], ": direction."),
    "mirrored in place": ([[2, 0, 0, -60], [0, -2.5, 0, 50], [0, 0, 4, -40]], "origin, direction"),
    "turned": ([[0, -2.5, 0, 60], [-2, 0, 0, 50], [0, 0, 4, -40]], "direction"),
    "half a voxel": ([[-2, 0, 0, 61], [0, -2.5, 0, 50], [0, 0, 4, -40]], ": origin."),
    "sheared": ([[-2, 0, 0, 60], [0, -2.5, 1, 50], [0, 0, 4, -40]], "sheared"),
    "no numbers": ([[np.nan] * 4] * 3, "no numbers"),
}


@pytest.mark.parametrize("fault", LOST)
def test_an_nnunet_label_map_on_another_grid_is_refused(tmp_path: Path, fault: str) -> None:
    affine, said = LOST[fault]
    changed(data_set(tmp_path) / "labelsTr" / "a.nii.gz", lambda h: sform(h, affine))
    with pytest.raises(ValueError, match=r"a\.nii\.gz") as caught:
        datasets.open(tmp_path)["a"]
    assert said in str(caught.value)
    if fault not in ("sheared", "no numbers"):
        assert "a_0000.nii.gz: 61 x 41 x 21 voxels of 2 x 2.5 x 4 mm" in str(caught.value)
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 3


def test_a_sheared_sform_is_not_replaced_by_the_qform(tmp_path: Path) -> None:
    def shear(header: bytearray) -> None:
        sform(header, LOST["sheared"][0])
        struct.pack_into("<hh", header, 252, 1, 1)

    changed(data_set(tmp_path) / "labelsTr" / "a.nii.gz", shear)
    with pytest.raises(ValueError, match=r"a\.nii\.gz: its axes are sheared"):
        datasets.open(tmp_path)["a"]


def test_sides_that_a_header_does_not_tell_are_refused(tmp_path: Path) -> None:
    def silent(header: bytearray) -> None:
        struct.pack_into("<hh", header, 252, 0, 0)

    for name in ("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"):
        changed(data_set(tmp_path) / name, silent)
        with pytest.raises(ValueError, match="left and right cannot be told"):
            datasets.open(tmp_path)["a"]


def test_another_matrix_is_refused_and_rounded_numbers_are_not(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    rounded = [[-2.001, 0, 0, 60.01], [0, -2.5001, 0, 50], [0, 1e-4, 4, -40.002]]
    changed(path, lambda h: sform(h, rounded))
    found = datasets.open(tmp_path)["a"]
    for organ in ("Parotid_L", "Parotid_R", "SpinalCord"):
        assert np.array_equal(found.masks[organ], inside(organ)(POINTS) > 0)
    image = SimpleITK.GetImageFromArray(values()[:-1])
    image.SetSpacing((2, 2.5, 4))
    image.SetOrigin((-60, -50, -40))
    SimpleITK.WriteImage(image, str(path))
    with pytest.raises(ValueError, match="size") as caught:
        datasets.open(tmp_path)["a"]
    assert "61 x 41 x 20 voxels" in str(caught.value)


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = data_set(tmp_path) / "labelsTr" / "a.nii.gz"
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[:30000]))
    with pytest.raises(ValueError, match="it ends after 30000 of 52873 bytes"):
        datasets.open(tmp_path)["a"]
    path.write_bytes(gzip.compress(whole)[:200])
    with pytest.raises(ValueError, match=r"a\.nii\.gz: damaged"):
        datasets.open(tmp_path)["a"]


def test_the_mr_of_an_nnunet_data_set_lies_on_the_ct_s_grid(tmp_path: Path) -> None:
    data_set(tmp_path)
    about = {"channel_names": {"0": "CT", "1": "MR"}, "labels": LABELS}
    (tmp_path / "dataset.json").write_text(json.dumps(about))
    path = tmp_path / "imagesTr" / "a_0001.nii.gz"
    write_nifti(path, hu(POINTS), STRAIGHT)
    assert datasets.open(tmp_path)["a"].mr is not None
    changed(path, lambda h: sform(h, LOST["origin"][0]))
    with pytest.raises(ValueError, match=r"a_0001\.nii\.gz lies on another grid"):
        datasets.open(tmp_path)["a"].mr


def patient(folder: Path) -> Path:
    """A CT and a folder for masks; returns the mask's path."""
    write_nrrd(folder / "p" / "ct.nrrd", hu(POINTS), STRAIGHT)
    return folder / "p" / "masks" / "Parotid_L.nrrd"


@pytest.mark.parametrize(
    "layout", [TURNED, Layout(spacing_xyz=(4.0, 5.0, 8.0)), Layout(spacing_xyz=(1.0, 1.25, 2.0))]
)
def test_a_mask_of_other_voxels_is_put_where_it_lies(tmp_path: Path, layout: Layout) -> None:
    write_nrrd(patient(tmp_path), inside("Parotid_L")(layout.points()), layout)
    found = np.argwhere(datasets.open(tmp_path)["p"].masks["Parotid_L"])
    truth = np.argwhere(inside("Parotid_L")(POINTS))
    # To a voxel of the coarser of both grids.
    step = np.maximum(1, np.array(layout.spacing_xyz[::-1]) / (4.0, 2.5, 2.0))
    assert (np.abs(found.min(axis=0) - truth.min(axis=0)) <= step).all()
    assert (np.abs(found.max(axis=0) - truth.max(axis=0)) <= step).all()


@pytest.mark.parametrize("fault", ["identity", "origin", "mirrored", "spacing", "turned"])
def test_a_mask_of_the_ct_s_matrix_that_lies_elsewhere_is_refused(
    tmp_path: Path, fault: str
) -> None:
    path = patient(tmp_path).with_name("Parotid_L.nii.gz")
    write_nifti(path, inside("Parotid_L")(POINTS), STRAIGHT)
    changed(path, lambda h: sform(h, LOST[fault][0]))
    with pytest.raises(ValueError, match="has the CT's matrix and lies elsewhere") as caught:
        datasets.open(tmp_path)["p"].masks["Parotid_L"]
    assert "CT: 61 x 41 x 21 voxels of 2 x 2.5 x 4 mm" in str(caught.value)


def test_a_cropped_mask_without_its_origin_or_beyond_the_ct_is_refused(tmp_path: Path) -> None:
    path = patient(tmp_path)
    part = SimpleITK.GetImageFromArray(np.ones((4, 5, 6), dtype=np.uint8))
    part.SetSpacing((2, 2.5, 4))
    path.parent.mkdir()
    SimpleITK.WriteImage(part, str(path))
    with pytest.raises(ValueError, match=r"its origin is \(0, 0, 0\)"):
        datasets.open(tmp_path)["p"].masks["Parotid_L"]
    part.SetOrigin((54, 0, 0))  # three of its six columns beyond 60 + 1 mm
    SimpleITK.WriteImage(part, str(path))
    with pytest.raises(ValueError, match="40 of its 120 voxels lie outside the CT"):
        datasets.open(tmp_path)["p"].masks["Parotid_L"]
    part.SetOrigin((30, 0, 0))
    SimpleITK.WriteImage(part, str(path))
    assert datasets.open(tmp_path)["p"].masks["Parotid_L"].sum() == 120


def test_a_sheared_nrrd_is_refused(tmp_path: Path) -> None:
    path = patient(tmp_path)
    write_nrrd(path, inside("Parotid_L")(POINTS), STRAIGHT)
    path.write_bytes(path.read_bytes().replace(b"(0.0,0.0,4.0)", b"(0.0,1.0,4.0)"))
    with pytest.raises(ValueError, match=r"Parotid_L\.nrrd: its axes are sheared"):
        datasets.open(tmp_path)["p"].masks["Parotid_L"]


def test_an_organ_that_is_empty_in_every_case_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_set(tmp_path, {**LABELS, "Larynx": 7})
    assert main(["data", "report", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    assert "without a voxel in any case: Larynx" in caplog.text
    assert "| Larynx | all | | a |" in (tmp_path / "out" / "report.md").read_text()


def test_a_layout_as_itk_writes_it_is_read(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(inside("Parotid_L")(POINTS))
    image.SetSpacing((2, 2.5, 4))
    image.SetOrigin((-60, -50, -40))
    grid = datasets.open(data_set(tmp_path / "nn"))["a"].grid
    for ending in (".nii.gz", ".nii", ".nrrd", ".mha"):
        path = tmp_path / f"m{ending}"
        SimpleITK.WriteImage(image, str(path))
        assert np.array_equal(read_mask(path, grid), inside("Parotid_L")(POINTS) > 0)
    turned = replace(STRAIGHT, axes=TURNED.axes)
    write_nifti(tmp_path / "t.nii.gz", inside("Parotid_L")(turned.points()), turned)
    assert np.array_equal(read_mask(tmp_path / "t.nii.gz", grid), inside("Parotid_L")(POINTS) > 0)
