"""The shipped sample through the shipped networks, as a new user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from oarflow.compare.overlap import dice
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.intake import read_volume
from oarflow.rtstruct.raster import rasterise_roi
from oarflow.rtstruct.reader import read_structure_set
from oarflow.volume import Volume

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLE = REPOSITORY / "samples" / "openkbp_validation"
ORGANS = {
    "Brainstem",
    "SpinalCord",
    "Parotid_L",
    "Parotid_R",
    "Esophagus",
    "Larynx",
    "Bone_Mandible",
}

OTHERS = {"Brain", "SpinalCanal", "Glnd_Submand_L", "Glnd_Submand_R"}
"""Learned from experts' contours or from labels that rules derived; the sample has no reference of
them."""

RULED = {"External", "Trachea", "Lung_L", "Lung_R", "Lungs"}
"""Contoured by rules, without a network; the sample has no reference of them."""

Masks = dict[str, NDArray[np.bool_]]


def contour(ct: Path, out: Path) -> Path:
    """Run the application on a folder; returns the RTSTRUCT."""
    command = [sys.executable, "-m", "app", "-i", ct, "-o", out, "-m", "models", "--quiet"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1767225600", "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return out / "rtstruct.dcm"


def masks_of(path: Path, volume: Volume) -> Masks:
    uids = volume.source.sop_instance_uids
    return {
        roi.name: rasterise_roi(roi, volume.grid, sop_instance_uids=uids).full(volume.grid.shape)
        for roi in read_structure_set(path).rois
    }


@pytest.fixture(scope="module")
def volume() -> Volume:
    return read_volume(SAMPLE / "ct").volume


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return contour(SAMPLE / "ct", tmp_path_factory.mktemp("sample") / "out").parent


@pytest.fixture(scope="module")
def masks(output: Path, volume: Volume) -> Masks:
    return masks_of(output / "rtstruct.dcm", volume)


def test_every_organ_has_a_status_and_none_failed(output: Path) -> None:
    result = json.loads((output / "result.json").read_text())
    statuses = {organ["name"]: organ["status"] for organ in result["organs"]}
    assert set(statuses) == ORGANS | OTHERS | RULED
    assert {statuses[organ] for organ in ORGANS} <= {"segmented", "truncated", "suspicious"}
    assert "failed" not in statuses.values()


def test_every_contour_lies_on_the_reference(masks: Masks, volume: Volume) -> None:
    reference = masks_of(SAMPLE / "reference.dcm", volume)
    scores = {organ: dice(reference[organ], masks[organ]) for organ in ORGANS}
    assert min(scores.values()) > 0.55, scores
    assert float(np.mean(list(scores.values()))) > 0.7, scores


def test_wholes_hold_their_parts(masks: Masks, volume: Volume) -> None:
    reference = masks_of(SAMPLE / "reference.dcm", volume)
    for part, whole, share in (("Brainstem", "Brain", 0.85), ("SpinalCord", "SpinalCanal", 0.85)):
        held = (reference[part] & masks[whole]).sum() / reference[part].sum()
        assert held > share, (part, held)
    if "Lungs" in masks:
        assert np.array_equal(masks["Lungs"], masks["Lung_L"] | masks["Lung_R"])


def test_left_is_left(masks: Masks, volume: Volume) -> None:
    x = {
        organ: volume.grid.index_to_patient(np.argwhere(mask)).mean(axis=0)[0]
        for organ, mask in masks.items()
    }
    assert x["Parotid_L"] - x["SpinalCord"] > 30
    assert x["SpinalCord"] - x["Parotid_R"] > 30


def test_every_reference_resolves_to_the_ct(output: Path) -> None:
    images = {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        for path in (SAMPLE / "ct").iterdir()
    }
    dataset = pydicom.dcmread(output / "rtstruct.dcm")
    named = {
        str(element.value)
        for element in dataset.iterall()
        if element.keyword == "ReferencedSOPInstanceUID"
    }
    study = str(dataset.StudyInstanceUID)
    assert named - {study} == images


@pytest.mark.parametrize("position", ["HFP", "FFS", "FFDL"])
def test_the_position_on_the_table_changes_nothing(
    position: str, masks: Masks, volume: Volume, tmp_path: Path
) -> None:
    """The same patient in other files' order and orientation: the same voxels in the patient."""
    x, y, z = volume.grid.positions_lps[0]
    case = Case(
        "sample",
        volume.hu.astype(np.int16),
        volume.grid.spacing_zyx,
        origin_lps=(float(x), float(y), float(z)),
    )
    write_ct(case, tmp_path / "ct", position)
    first = pydicom.dcmread(next((tmp_path / "ct").iterdir()), stop_before_pixels=True)
    assert [round(float(v)) for v in first.ImageOrientationPatient] != [1, 0, 0, 0, 1, 0]
    structures = read_structure_set(contour(tmp_path / "ct", tmp_path / "out"))
    turned = {
        roi.name: rasterise_roi(roi, volume.grid).full(volume.grid.shape) for roi in structures.rois
    }
    assert set(turned) == set(masks)
    for organ, mask in masks.items():
        assert dice(mask, turned[organ]) > 0.9999, organ


@pytest.mark.parametrize(
    "turn",
    [np.s_[::-1, ::-1, :], np.s_[::-1, :, ::-1], np.s_[:, ::-1, ::-1]],
    ids=["head down, nose back", "head down", "nose back"],
)
def test_a_patient_who_lies_otherwise_than_the_header_says_is_refused(
    turn: tuple[slice, slice, slice], volume: Volume, tmp_path: Path
) -> None:
    """Registered in the wrong position: consistent headers, and left and right swapped."""
    turned = np.ascontiguousarray(volume.hu.astype(np.int16)[turn])
    write_ct(Case("turned", turned, volume.grid.spacing_zyx), tmp_path / "ct")
    status, code = refusal_of(tmp_path / "ct", tmp_path / "out")
    assert status == 3
    assert code in ("WRONG_ANATOMY", "POSITION_CONTRADICTS_ANATOMY")


def test_a_chest_and_abdomen_is_no_head_and_neck(shared_data: Path, tmp_path: Path) -> None:
    with tarfile.open(shared_data / "odd" / "ffs_chest_abdomen.tar.xz") as archive:
        archive.extractall(tmp_path / "ct", filter="data")
    assert refusal_of(tmp_path / "ct", tmp_path / "out") == (3, "WRONG_ANATOMY")


def refusal_of(ct: Path, out: Path) -> tuple[int, str]:
    """Exit status and reason code of a run that must leave no DICOM file."""
    command = [sys.executable, "-m", "app", "-i", ct, "-o", out, "-m", "models", "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment, check=False)
    assert not list(out.glob("*.dcm"))
    return ran.returncode, json.loads((out / "result.json").read_text())["refusal"]["code"]
