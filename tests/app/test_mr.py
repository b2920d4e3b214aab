"""A study of CT and MR through the application: registered, read by a network, accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import MRImageStorage

from oarflow.networks.card import Channel, Role
from tests.app.workbench import CENTRES_LPS, Bright, Halves, app, balls, write_ct
from tests.oarflow.chain import save_model
from tests.oarflow.systems import WINDOW, Near, write_model
from tests.phantoms import make_series, write_series

LESION_LPS = np.array([-8.0, 40.0, 6.0])
"""Where the MR alone shows something, in the CT's patient space."""

OFFSET_LPS = np.array([14.0, -9.0, 12.0])
"""The MR's own frame: what lies at p in the CT lies at p + OFFSET there."""


def shown_by_mr(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The same body in another contrast and frame, with a lesion that the CT does not show."""
    x, y, z = (v - o for v, o in zip((x, y, z), OFFSET_LPS, strict=True))
    hu = balls(x, y, z)
    values = np.interp(hu, (-1000, -900, 0, 300), (0, 0, 300, 120))
    lx, ly, lz = LESION_LPS
    values[(x - lx) ** 2 + (y - ly) ** 2 + (z - lz) ** 2 < 16**2] = 900.0
    return values


def write_mr(folder: Path, **tags: object) -> None:
    common: dict[str, object] = {
        "PatientName": "SECRET^PATIENT",
        "PatientID": "SECRETID",
        "PatientBirthDate": "19501231",
        "Modality": "MR",
        "SOPClassUID": MRImageStorage,
        "SeriesDescription": "T1",
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "RescaleType": None,
    }
    series = make_series(
        slices=22,
        rows=88,
        columns=88,
        spacing_yx=(2.0, 2.0),
        centre_lps=tuple(OFFSET_LPS),
        anatomy=shown_by_mr,
        intercept=0.0,
        seed="mr",
        tags=common | tags,
    )
    write_series(folder, series)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Glnd_Thyroid is whatever is bright in the MR; without one, the left ball of the CT."""
    folder = tmp_path_factory.mktemp("mr") / "models"
    organs = tuple(CENTRES_LPS)
    places, nowhere = (5.0, 5.0, 5.0), (0.0, 0.0, 0.0)
    save_model(folder / "localizer", Role.LOCALIZER, organs, places, nowhere, network=Halves())
    extent = (0.0, 64.0, 64.0)
    save_model(
        folder / "left", Role.SEGMENTER, organs[:1], (0.0, 2.0, 2.0), extent, network=Bright()
    )
    mr = Channel(source="mr", window=(0.0, 1000.0))
    both = (Channel(window=WINDOW), mr)
    thyroid = ("Glnd_Thyroid",)
    write_model(folder / "thyroid_mr", Near((500.0,), channel=1), organs=thyroid, channels=both)
    write_model(folder / "thyroid_ct", Near((100.0,)), organs=thyroid)
    return folder


def run(study: Path, models: Path, out: Path) -> dict[str, Any]:
    done = app("-i", study, "-o", out, "-m", models)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    assert "SECRET" not in (out / "result.json").read_text() + done.stdout + done.stderr
    return result


def organ(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in result["organs"] if item["name"] == name)


def centre(out: Path, name: str) -> np.ndarray:
    dataset = pydicom.dcmread(next(out.glob("*.dcm")))
    number = next(r.ROINumber for r in dataset.StructureSetROISequence if r.ROIName == name)
    contours = next(r for r in dataset.ROIContourSequence if r.ReferencedROINumber == number)
    points = np.concatenate(
        [
            np.reshape(np.array(c.ContourData, dtype=float), (-1, 3))
            for c in contours.ContourSequence
        ]
    )
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2)


def test_the_mr_s_own_find_lies_at_the_ct_s_coordinates(tmp_path: Path, models: Path) -> None:
    write_ct(tmp_path / "study" / "ct")
    write_mr(tmp_path / "study" / "mr")
    result = run(tmp_path / "study", models, tmp_path / "out")
    assert result["files"]["classes"] == {"ct_slice": 24, "used_as_mr": 22}
    thyroid = organ(result, "Glnd_Thyroid")
    assert thyroid["model"]["name"] == "test/thyroid_mr"
    assert "contoured on the CT and the MR registered to it" in thyroid["notes"]
    assert centre(tmp_path / "out", "Glnd_Thyroid") == pytest.approx(LESION_LPS, abs=2.5)
    assert any(note.startswith("MR registered") for note in result["input"]["notes"])


def test_another_patient_s_mr_is_left_alone_and_said(tmp_path: Path, models: Path) -> None:
    write_ct(tmp_path / "study" / "ct")
    write_mr(tmp_path / "study" / "mr", PatientID="OTHERID")
    result = run(tmp_path / "study", models, tmp_path / "out")
    assert result["files"]["classes"] == {"ct_slice": 24, "other_dicom_object": 22}
    thyroid = organ(result, "Glnd_Thyroid")
    assert thyroid["model"]["name"] == "test/thyroid_ct"
    assert not [flag["code"] for flag in thyroid["flags"] if "MR" in flag["code"]]
    assert "contoured on the CT alone, without the MR" in thyroid["notes"]
    (flag,) = result["study_flags"]
    assert (flag["code"], flag["values"]["organs"]) == ("MR_NOT_USED", ["Glnd_Thyroid"])
    assert flag["message"].startswith("MR was not used: the MR is of another patient")
    (described,) = (
        item.ROIDescription
        for item in pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").StructureSetROISequence
        if item.ROIName == "Glnd_Thyroid"
    )
    assert described.startswith("suspicious; whole study: MR was not used")


def test_nothing_of_an_mr_is_loaded_where_no_network_reads_one() -> None:
    """SimpleITK takes a second to import: only a registration may."""
    code = "import sys, oarflow.run.session; sys.exit('SimpleITK' in sys.modules)"
    assert app(program=("-c", code)).returncode == 0
