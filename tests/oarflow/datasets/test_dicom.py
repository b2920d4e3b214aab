"""Cases as DICOM: in every patient position the same voxels lie at the same place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from oarflow.commands import main
from oarflow.datasets.as_dicom import ORIENTATIONS, PatientPosition, write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.openkbp import load_npz
from oarflow.datasets.references import write_references
from oarflow.datasets.resample import resampled
from oarflow.intake import read_volume
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "openkbp_validation"


def small(spacing: tuple[float, float, float] = (3.0, 2.0, 1.5)) -> Case:
    """Neighbours differ along every axis, air is on one side, an organ off every symmetry."""
    shape = (11, 20, 24)
    z, y, x = np.indices(shape)
    ct = (7 * z + 5 * y + 2 * x - 60).astype(np.int16)
    ct[:, :5] = -1000
    mask = np.zeros(shape, dtype=bool)
    mask[2:6, 3:9, 12:20] = True
    mask[5, 8, 12:22] = True
    return Case("pt_7", ct, spacing, {"Parotid_L": mask}, origin_lps=(-11.0, 7.5, 100.0))


@pytest.mark.parametrize("position", list(PatientPosition))
def test_every_voxel_keeps_its_place(tmp_path: Path, position: PatientPosition) -> None:
    case = small()
    for path in write_ct(case, tmp_path / "ct", position):
        image = pydicom.dcmread(path)
        assert image.PatientPosition == position
        across, down = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
        row_mm, column_mm = image.PixelSpacing
        first = np.array(image.ImagePositionPatient, dtype=float)
        hu = image.pixel_array * int(image.RescaleSlope) + int(image.RescaleIntercept)
        for row, column in ((0, 0), (8, 5), (7, 0), (19, 19)):
            point = first + column * column_mm * across + row * row_mm * down
            x, y, z = np.rint((point - case.origin_lps) / case.spacing_zyx[::-1]).astype(int)
            assert hu[row, column] == case.ct[z, y, x]


@pytest.mark.parametrize("position", list(PatientPosition))
def test_down_is_the_floor_and_the_bore_lies_behind(position: PatientPosition) -> None:
    across, down = ORIENTATIONS[position]
    floor = {
        "S": (0, 1, 0),
        "P": (0, -1, 0),
        "DR": (-1, 0, 0),
        "DL": (1, 0, 0),
    }
    assert down == floor[position.value[2:]]
    normal = np.cross(across, down)
    assert normal.tolist() == [0, 0, 1 if position.value.startswith("HF") else -1]


def test_feet_first_and_prone_versions_are_one_volume(tmp_path: Path) -> None:
    case = small()
    for position in ("HFS", "FFS", "HFP", "FFP"):
        write_ct(case, tmp_path / position, position)
        volume = read_volume(tmp_path / position).volume
        assert np.array_equal(volume.hu, case.ct.astype(np.float32))
        assert volume.grid.positions_lps == pytest.approx(case.grid.positions_lps)
        assert volume.grid.spacing_zyx == pytest.approx(case.spacing_zyx)


def test_simpleitk_reads_the_same_geometry(tmp_path: Path) -> None:
    case = small()
    paths = write_ct(case, tmp_path / "ct")
    image = SimpleITK.ReadImage([str(path) for path in paths])
    assert image.GetOrigin() == pytest.approx(case.origin_lps)
    assert image.GetSpacing() == pytest.approx(case.spacing_zyx[::-1])
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), case.ct)


def test_the_same_case_gives_the_same_files_and_another_one_other_uids(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_ct(small(), tmp_path / name)
        write_references(small(), tmp_path / name, tmp_path / f"{name}.dcm")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in files
    )
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    write_ct(small((3.0, 2.0, 1.6)), tmp_path / "c")
    write_ct(small(), tmp_path / "d", "FFS")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        seen = {pydicom.dcmread(tmp_path / name / files[0])[keyword].value for name in "acd"}
        assert len(seen) == 3


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_references_read_back_are_the_masks(tmp_path: Path, position: str) -> None:
    case = small()
    write_ct(case, tmp_path / "ct", position)
    organs = write_references(case, tmp_path / "ct", tmp_path / "reference.dcm")
    assert organs == ("Parotid_L",)
    volume = read_volume(tmp_path / "ct").volume
    ((_, found),) = rasterise(read_structure_set(tmp_path / "reference.dcm"), volume.grid)
    assert np.array_equal(found.full(volume.grid.shape), case.masks["Parotid_L"])
    assert "deep learning" not in str(pydicom.dcmread(tmp_path / "reference.dcm"))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    write_ct(small(), tmp_path / "ct", "FFDL")
    write_references(small(), tmp_path / "ct", tmp_path / "reference.dcm")
    for path in ((tmp_path / "ct" / "ct0001.dcm"), tmp_path / "reference.dcm"):
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert not [line for line in said.stderr.splitlines() if line.startswith("Error")]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HFX"):
        write_ct(small(), tmp_path, "HFX")
    high = Case("pt_1", np.full((2, 2, 2), 32000, dtype=np.int16), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="16 bits"):
        write_ct(high, tmp_path / "high")
    write_ct(small(), tmp_path / "ct")
    with pytest.raises(FileExistsError):
        write_ct(small(), tmp_path / "ct")
    with pytest.raises(ValueError, match="positive"):
        Case("pt_1", high.ct, (1.0, 0.0, 1.0))


def test_cropping_keeps_slices_where_they_are() -> None:
    case = small()
    cropped = case.cropped(2, 5)
    assert cropped.grid.positions_lps == pytest.approx(case.grid.positions_lps[2:6])
    assert np.array_equal(cropped.masks["Parotid_L"], case.masks["Parotid_L"][2:6])


def test_a_ramp_stays_the_same_ramp_on_another_matrix(tmp_path: Path) -> None:
    z, y, x = np.indices((12, 40, 40))
    values = (3 * z + 2 * y + x - 60).astype(np.int16)
    values[:, :, :8] = -1000
    ramp = Case("pt_1", values, (3.0, 2.0, 2.0))
    write_ct(ramp, tmp_path / "ct")
    fine = resampled(tmp_path / "ct", 80, 18)
    assert fine.ct.shape == (18, 80, 80)
    assert fine.spacing_zyx == pytest.approx((2.0, 1.0, 1.0))
    # The outer edge of the field of view stays: half a new voxel within half an old one.
    assert fine.origin_lps == pytest.approx((-0.5, -0.5, -0.5))
    points = fine.grid.index_to_patient(np.argwhere(np.ones(fine.ct.shape, dtype=bool)))
    expected = points @ (1 / 2, 2 / 2, 3 / 3) - 60
    inner = np.zeros(fine.ct.shape, dtype=bool)
    inner[1:-1, 1:-1, 18:-1] = True
    error = np.abs(fine.ct.ravel() - expected)[inner.ravel()]
    assert error.max() <= 0.51


def test_the_sample_is_what_its_page_says(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "openkbp" / "validation" / "pt_225.npz"
    assert main(["data", "dicom", str(source), "-o", str(tmp_path), "--crop"]) == 0
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.dcm"))
    shipped = sorted(
        path.relative_to(SAMPLE) for path in (*SAMPLE.glob("*.dcm"), *(SAMPLE / "ct").glob("*.dcm"))
    )
    assert written == shipped
    assert len(written) == 115
    for path in written:
        if path.parent.name == "ct":
            assert (tmp_path / path).read_bytes() == (SAMPLE / path).read_bytes(), path
    volume = read_volume(SAMPLE / "ct").volume
    masks = load_npz(source).cropped(14, 127).masks
    regions = {
        roi.name: found.full(volume.grid.shape)
        for roi, found in rasterise(read_structure_set(SAMPLE / "reference.dcm"), volume.grid)
    }
    assert set(regions) == set(masks)
    assert all(np.array_equal(regions[organ], masks[organ]) for organ in masks)
