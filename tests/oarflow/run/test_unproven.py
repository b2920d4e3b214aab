"""Runs with an imported network whose orientation nothing has proved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import oarflow
from oarflow.errors import ExitStatus
from oarflow.flags.codes import FlagCode
from tests.oarflow.commissioning.made_up_records import commission_all
from tests.oarflow.segmentation.imported_networks import write_imported


@pytest.mark.parametrize(("proof", "doubtful"), [("unproven", True), ("proven", False)])
def test_strict_holds_contours_of_an_unproven_orientation(
    proof: str, doubtful: bool, ct: Path, models: Path, tmp_path: Path
) -> None:
    """Every network is commissioned, so that nothing but the orientation holds the study."""
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    for place in folder.glob("*Parotid_L*"):
        shutil.rmtree(place)
    write_imported(folder / "elsewhere", orientation_proof=proof)
    records = commission_all(folder, tmp_path / "commissioned")
    settings = {"strict": True, "commissioned": str(records)}
    found = oarflow.contour(ct, models=folder, settings=settings)
    codes = {flag.code for flag in found["Parotid_L"].flags}
    assert (FlagCode.ORIENTATION_UNPROVEN in codes) is doubtful
    assert FlagCode.NOT_COMMISSIONED not in codes
    if doubtful:
        assert found["Parotid_L"].status.value == "suspicious"
        assert found.exit_status is ExitStatus.HELD
