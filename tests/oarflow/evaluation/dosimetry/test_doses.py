"""Dose differences by hand, and the page from folders and from OpenKBP."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import write_references
from oarflow.dose.figures import histogram, statistics
from oarflow.evaluation.application import FinishedRun, ModelFile
from oarflow.evaluation.dosimetry.doses import OrganDose
from oarflow.evaluation.dosimetry.page import limits, table
from oarflow.structures import Status
from tests.oarflow.dose.plan import rtdose
from tests.oarflow.evaluation.cases import SHAPE, made_up, result


def one(case: str, organ: str, clinical: Sequence[float], predicted: Sequence[float] | None):
    sides = [None if side is None else np.array(side) for side in (clinical, predicted)]
    assert sides[0] is not None
    return OrganDose(
        case,
        organ,
        statistics(sides[0]),
        None if sides[1] is None else statistics(sides[1]),
        1.0,
        histogram(sides[0]),
        None if sides[1] is None else histogram(sides[1]),
    )


def test_the_tables_by_hand() -> None:
    doses = [
        one("a", "Parotid_L", [20, 30], [24, 34]),
        one("b", "Parotid_L", [10, 20], [10, 18]),
        one("c", "Parotid_L", [10, 20], None),
    ]
    lines = table(doses).splitlines()
    # Clinical means 25 and 15, predicted 29 and 14: differences +4 and -1.
    assert (
        "| Parotid_L | 2 | 1 | 0 | Dmean | 20.00 (7.07) | 21.50 (10.61) | +1.50 (3.54) |"
        in lines[2]
    )
    assert "| 2.50 | 4.0 |" in lines[2]
    # Means of 25 and 15 Gy are within 26 Gy, of 29 and 14 only the second.
    assert "| Parotid_L | Dmean 26 Gy | 2 | 0 | 2 | 1 | 1 |" in limits(doses)


def test_folders_with_rtdose(tmp_path: Path) -> None:
    case = made_up()
    for side, shift in (("r", 0), ("p", 1)):
        folder = tmp_path / side / "a"
        write_ct(case, folder / "ct")
        organs = ("Parotid_L", "SpinalCord")
        masks = {organ: np.roll(case.masks[organ], shift, axis=2) for organ in organs}
        moved = Case(case.id, case.ct, case.spacing_zyx, masks, origin_lps=case.origin_lps)
        write_references(moved, folder / "ct", folder / "rs.dcm")
    rtdose(tmp_path / "r" / "a" / "dose.dcm")
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "dose.csv").open() as file:
        rows = {row["organ"]: row for row in csv.DictReader(file)}
    # Columns 27 to 32 of 2 mm from x = -39, slices 6 to 10 of 3 mm from z = 5.
    mean = (-39 + 29.5 * 2 + 50 + 100 * (5 + 8 * 3)) / 1000
    assert float(rows["Parotid_L"]["clinical_mean_gy"]) == pytest.approx(mean, abs=1e-3)
    # Moved by 2 mm to the left: 2 mGy more.
    assert float(rows["Parotid_L"]["predicted_mean_gy"]) == pytest.approx(mean + 0.002, abs=1e-3)
    assert (tmp_path / "out" / "dose.png").read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", "dose", *flags[:2], "--output", str(tmp_path / "out")]) == 2


def test_openkbps_patients_through_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oarflow.datasets.openkbp import ORGANS

    case = made_up("pt_201")
    (tmp_path / "data").mkdir()
    (tmp_path / "doses").mkdir()
    arrays = {ORGANS[organ]: case.masks[organ] for organ in ("Parotid_L", "Parotid_R")}
    np.savez(
        tmp_path / "data" / "pt_201.npz",
        ct=case.ct,
        body=case.body,
        spacing_mm=np.array(case.spacing_zyx),
        **arrays,
    )
    z = np.arange(SHAPE[0], dtype=np.float16)[:, None, None]
    np.savez(tmp_path / "doses" / "pt_201.npz", dose_gy=np.broadcast_to(z, SHAPE))
    runs = []

    def run(ct: Path, out: Path, models: Path, flags: Sequence[str]) -> FinishedRun:
        """Contours one slice too far up; the right parotid not at all."""
        runs.append(ct)
        out.mkdir()
        mask = np.roll(case.masks["Parotid_L"], 1, axis=0)[2:13]
        drawn = case.cropped(2, 12)
        moved = Case(case.id, drawn.ct, case.spacing_zyx, {"Parotid_L": mask})
        write_references(moved, ct, out / "rtstruct.dcm")
        return FinishedRun(result({"Parotid_L": Status.SEGMENTED}), out / "rtstruct.dcm")

    monkeypatch.setattr("oarflow.evaluation.chain.run.run_application", run)
    network = ModelFile("parotids", "oarflow/p", "1", "ab" * 32, ("Parotid_L", "Parotid_R"))
    for place in ("application", "chain.run"):
        monkeypatch.setattr(f"oarflow.evaluation.{place}.model_files", lambda models: [network])
    flags = ["--data", str(tmp_path / "data"), "--doses", str(tmp_path / "doses")]
    flags += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
    assert main(["evaluate", "dose", *flags]) == 0
    with (tmp_path / "out" / "dose.csv").open() as file:
        rows = {row["organ"]: row for row in csv.DictReader(file)}
    # Slices 6 to 10, then 7 to 11.
    assert float(rows["Parotid_L"]["clinical_mean_gy"]) == 8.0
    assert float(rows["Parotid_L"]["predicted_mean_gy"]) == 9.0
    assert rows["Parotid_R"]["predicted_mean_gy"] == ""
    page = (tmp_path / "out" / "dose.md").read_text()
    assert "| Parotid_R | 0 | 1 |" in page
    assert network.sha256 in page
    assert main(["evaluate", "dose", *flags]) == 0
    assert len(runs) == 1
