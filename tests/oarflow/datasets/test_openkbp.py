"""OpenKBP: the published CSV gives the stored arrays, and a case hands them on by our names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.openkbp import (
    ORGANS,
    OpenKbp,
    convert,
    load_npz,
    openkbp_dose,
    read_csv_patient,
)
from oarflow.organs import load_catalogue
from tests.oarflow.evaluation.cases import SHAPE, made_up


def write_patient(folder: Path) -> Path:
    """A published patient of three voxels: (y, x, z) of (5, 7, 0), (5, 7, 127), (6, 7, 127)."""
    folder.mkdir(parents=True)
    flat = [(y * 128 + x) * 128 + z for y, x, z in ((5, 7, 0), (5, 7, 127), (6, 7, 127))]
    values = (1024.0, 0.4, 22575.0)
    lines = [f"{i},{v}" for i, v in zip(flat, values, strict=True)]
    (folder / "ct.csv").write_text("\n".join([",data", *lines]) + "\n")
    (folder / "LeftParotid.csv").write_text(f",data\n{flat[1]},\n")
    (folder / "Larynx.csv").write_text(",data\n")
    (folder / "voxel_dimensions.csv").write_text("3.9\n4.1\n2.5\n")
    return folder


def test_flat_indices_are_y_x_z_with_z_toward_the_feet(tmp_path: Path) -> None:
    arrays = read_csv_patient(write_patient(tmp_path / "pt_1"))
    ct = arrays["ct"]
    assert ct.dtype == np.int16
    assert ct[127, 5, 7] == 0  # the first published plane is the one nearest to the vertex
    assert ct[0, 5, 7] == -1024
    assert ct[0, 6, 7] == 3071
    assert np.argwhere(arrays["LeftParotid"]).tolist() == [[0, 5, 7]]
    assert not arrays["Larynx"].any()
    assert arrays["body"].sum() == 3
    assert arrays["spacing_mm"].tolist() == [2.5, 3.9, 4.1]
    assert "Brainstem" not in arrays


def test_the_published_patient_gives_the_stored_one(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "openkbp"
    (path,) = convert(folder / "raw" / "pt_100", tmp_path)
    with np.load(path) as ours, np.load(folder / "train" / "pt_100.npz") as stored:
        assert set(ours.files) == set(stored.files)
        for key in stored.files:
            assert ours[key].dtype == stored[key].dtype, key
            assert np.array_equal(ours[key], stored[key]), key


def test_a_case_reads_a_mask_only_when_asked(tmp_path: Path) -> None:
    write_patient(tmp_path / "csv" / "pt_12")
    write_patient(tmp_path / "csv" / "pt_3")
    assert main(["data", "openkbp", str(tmp_path / "csv"), "-o", str(tmp_path / "npz")]) == 0
    cases = OpenKbp(tmp_path / "npz")
    assert list(cases) == ["pt_3", "pt_12"]
    case = cases["pt_12"]
    assert (case.id, case.spacing_zyx) == ("pt_12", (2.5, 3.9, 4.1))
    assert list(case.masks) == ["Parotid_L", "Larynx"]
    assert case.masks["Parotid_L"][0, 5, 7]
    assert case.masks["Parotid_L"] is not case.masks["Parotid_L"]
    with pytest.raises(KeyError):
        case.masks["Brainstem"]
    (tmp_path / "npz" / "pt_12.npz").unlink()
    with pytest.raises(FileNotFoundError):
        case.masks["Parotid_L"]


def test_every_organ_is_in_the_catalogue() -> None:
    catalogue = load_catalogue()
    assert all(organ in catalogue for organ in ORGANS)
    assert catalogue.organ("Parotid_R").laterality == "R"


def test_right_is_right(shared_data: Path) -> None:
    case = load_npz(shared_data / "openkbp" / "validation" / "pt_225.npz")
    # x grows to the left, y to the back.
    right, left = (np.argwhere(case.masks[f"Parotid_{s}"]).mean(axis=0) for s in "RL")
    assert right[2] < left[2]
    mandible, cord = (
        np.argwhere(case.masks[organ]).mean(axis=0) for organ in ("Bone_Mandible", "SpinalCord")
    )
    assert mandible[1] < cord[1]
    assert mandible[0] > cord[0]


def test_what_is_no_patient_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no patient"):
        convert(tmp_path, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"no pt_N\.npz"):
        OpenKbp(tmp_path)
    folder = write_patient(tmp_path / "pt_1")
    (folder / "Larynx.csv").write_text(f",data\n{128**3},\n")
    with pytest.raises(ValueError, match=r"Larynx\.csv"):
        read_csv_patient(folder)
    assert main(["data", "openkbp", str(tmp_path), "-o", str(tmp_path / "out")]) == 3


def test_openkbps_dose_is_not_known_outside_its_mask(tmp_path: Path) -> None:
    case = made_up("pt_201")
    allowed = np.zeros(SHAPE, dtype=bool)
    allowed[:, :, 5:] = True
    dose = np.zeros(SHAPE, dtype=np.float16)
    np.savez(tmp_path / "pt_201.npz", dose_gy=dose, allowed=allowed)
    found = openkbp_dose(tmp_path, case).voxels
    assert np.array_equal(np.isnan(found), ~allowed)
    assert (found[allowed] == 0).all()
