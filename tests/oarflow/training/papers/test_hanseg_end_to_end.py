"""HANSEG's whole way: a HaN-Seg-shaped case with an MR, fit, export, a DICOM study of CT and MR."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from oarflow.commands import main
from oarflow.networks.card import Role, read_card
from oarflow.training.data.data_set import TrainingData
from tests.app.test_mr import OFFSET_LPS, organ, run, shown_by_mr, write_mr
from tests.app.workbench import CENTRES_LPS, RADIUS_MM, Halves, balls, write_ct
from tests.oarflow.chain import save_model

Floats = NDArray[np.float64]
CT_VOXELS, MR_VOXELS, SPACING = (24, 96, 96), (22, 88, 88), (3.0, 2.0, 2.0)
TINY = {
    "organs": "[Parotid_L]",
    "widths": "[4, 8, 8]",
    "patch_mm": "[48, 128, 128]",
    "spacing_mm": "[4, 4, 4]",
    "losses": "{dice: 1}",
    "augmentation": "none",
    "average": "0",
}


def ball(x: Floats, y: Floats, z: Floats) -> Floats:
    cx, cy, cz = CENTRES_LPS["Parotid_L"]
    return ((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < RADIUS_MM**2).astype(np.float64)


def write_nrrd(
    path: Path,
    anatomy: Callable[[Floats, Floats, Floats], Floats],
    voxels: tuple[int, int, int],
    *,
    kind: type[np.generic] = np.int16,
    centre: Floats | None = None,
) -> None:
    """What an anatomy, a function of LPS, is at the voxels about a centre."""
    middle = np.zeros(3) if centre is None else centre
    z, y, x = (
        (np.arange(count) - (count - 1) / 2) * step + at
        for count, step, at in zip(voxels, SPACING, middle[::-1], strict=True)
    )
    values = anatomy(x[None, None], y[None, :, None], z[:, None, None]).astype(kind)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing(SPACING[::-1])
    image.SetOrigin((float(x[0]), float(y[0]), float(z[0])))
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HaN-Seg as it is published: a CT, an MR in its own frame, a mask an organ."""
    folder = tmp_path_factory.mktemp("hanseg")
    for case in ("case_01", "case_02"):
        place = folder / "set_1" / case
        write_nrrd(place / f"{case}_IMG_CT.nrrd", balls, CT_VOXELS)
        mr = place / f"{case}_IMG_MR_T1.nrrd"
        write_nrrd(mr, shown_by_mr, MR_VOXELS, kind=np.float32, centre=OFFSET_LPS)
        mask = place / f"{case}_OAR_Parotid_L.seg.nrrd"
        write_nrrd(mask, ball, CT_VOXELS, kind=np.uint8)
    return folder


def test_ct_and_mr_go_from_files_to_contours(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    work, models = tmp_path / "runs", tmp_path / "models"
    models.mkdir()
    changes = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    shared = ["hanseg", "--work", str(work), "--steps", "2", *changes]
    assert main(["train", "fit", *shared, "--data", str(data), "--data-name", "Made up"]) == 0
    assert "trained without its MR" not in caplog.text
    assert main(["train", "export", *shared, "--models", str(models)]) == 0
    card = read_card(models / "hanseg" / "model.json")
    assert [channel.source for channel in card.channels] == ["ct", "mr"]
    assert (card.training.data, card.training.cases, card.training.steps) == ("Made up", 1, 2)

    places, nowhere = (5.0, 5.0, 5.0), (0.0, 0.0, 0.0)
    organs = tuple(CENTRES_LPS)
    save_model(models / "localizer", Role.LOCALIZER, organs, places, nowhere, network=Halves())
    write_ct(tmp_path / "study" / "ct")
    write_mr(tmp_path / "study" / "mr")
    result = run(tmp_path / "study", models, tmp_path / "out")
    assert result["files"]["classes"] == {"ct_slice": 24, "used_as_mr": 22}
    parotid = organ(result, "Parotid_L")
    assert parotid["model"]["name"] == "oarflow/hanseg"
    assert parotid["status"] in ("segmented", "suspicious", "truncated"), json.dumps(parotid)
    assert "contoured on the CT and the MR registered to it" in parotid["notes"]


def test_an_mr_that_registers_lies_on_the_ct_s_voxels(data: Path) -> None:
    """The lesion that the MR alone shows, where it lies in the CT's space; HaN-Seg's files name no
    frame of reference, so that the MR may begin anywhere."""
    (case,) = TrainingData.open(data).read(["case_01"], mr=True)
    assert case.mr is not None
    assert case.mr.shape == case.ct.shape
    assert (float(case.mr.min()), float(case.mr.max())) == pytest.approx((0.0, 1000.0), abs=1.0)
    bright = np.argwhere(case.mr > 700).mean(axis=0)
    middle = (np.array(CT_VOXELS) - 1) / 2
    found = (bright - middle) * SPACING
    assert found == pytest.approx([6.0, 40.0, -8.0], abs=2.5)
