"""Organs that the dose grid does not cover: figures of the covered part, none of the rest."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from oarflow.commands import main
from oarflow.dose.figures import DVH_GY, histogram, statistics
from oarflow.evaluation.dosimetry.doses import OrganDose
from oarflow.evaluation.dosimetry.page import limits, not_covered, table, worst
from tests.oarflow.dose.plan import rtdose
from tests.oarflow.evaluation.dosimetry.test_folders import contours

Row = dict[str, str]


def with_dose(folder: Path, *, frames: int) -> None:
    """A dose of (x + 50 + 100 z) / 100 Gy whose frames lie at z = 0, 4, 8 mm and so on."""
    path = folder / "dose.dcm"
    rtdose(path, DoseGridScaling="0.01")
    dataset = dcmread(path)
    of_one = dataset.Rows * dataset.Columns * 4
    dataset.NumberOfFrames = frames
    dataset.GridFrameOffsetVector = list(dataset.GridFrameOffsetVector)[:frames]
    dataset.PixelData = dataset.PixelData[: frames * of_one]
    dataset.save_as(path)


def run(tmp_path: Path) -> tuple[dict[tuple[str, str], Row], dict[tuple[str, str], Row], str]:
    """Rows of dose.csv, rows of dvh.csv of the clinical contours, and the page."""
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    out = tmp_path / "out"
    assert main(["evaluate", "dose", *flags, "--output", str(out)]) == 0
    tables = []
    for name in ("dose.csv", "dvh.csv"):
        with (out / name).open() as file:
            rows = [row for row in csv.DictReader(file) if row.get("contour") != "predicted"]
        tables.append({(row["case"], row["organ"]): row for row in rows})
    return tables[0], tables[1], (out / "dose.md").read_text()


# Slices of Parotid_L lie at z = 23, 26, 29, 32, 35 mm, those of SpinalCord at 14, 17 ... 38 mm;
# 8 frames reach to z = 28 mm, 15 frames to z = 56 mm, 3 frames to z = 8 mm.
PAROTID_X = -39 + 2.0 * np.arange(27, 33)


def test_an_organ_partly_outside_the_dose_has_the_figures_of_its_part(tmp_path: Path) -> None:
    for name, frames in (("cut", 8), ("whole", 15)):
        for side in ("r", "p"):
            contours(tmp_path / side / name, ("Parotid_L", "SpinalCord"))
        with_dose(tmp_path / "r" / name, frames=frames)
    doses, histograms, page = run(tmp_path)
    row = doses["cut", "Parotid_L"]
    part = (PAROTID_X + 50 + 100 * np.array([[23], [26]])) / 100
    for side in ("clinical", "predicted"):
        assert float(row[f"{side}_covered"]) == pytest.approx(2 / 5)
        assert float(row[f"{side}_mean_gy"]) == pytest.approx(part.mean(), abs=1e-3)
        assert float(row[f"{side}_max_gy"]) == pytest.approx(part.max(), abs=1e-3)
    assert float(doses["cut", "SpinalCord"]["clinical_covered"]) == pytest.approx(5 / 9, abs=1e-6)
    assert doses["whole", "Parotid_L"]["clinical_covered"] == "1"
    shares = histograms["cut", "Parotid_L"]
    assert float(shares["covered"]) == pytest.approx(2 / 5)
    assert float(shares["25 Gy"]) == pytest.approx(float((part >= 25).mean()), abs=1e-3)
    # Means, tests and limits are of the whole case alone: its mean is 29.7 Gy, above 26 Gy.
    whole = (PAROTID_X + 50 + 100 * np.array([[23], [26], [29], [32], [35]])) / 100
    assert f"| Parotid_L | 1 | 0 | 1 | Dmean | {whole.mean():.2f} (0.00) |" in page
    assert "| Parotid_L | Dmean 26 Gy | 1 | 1 | 0 | 0 | 0 |" in page
    assert "covers 2 of 4 organs only in part" in page
    assert f"| cut | Parotid_L | 40.0 % | {part.mean():.2f} | {part.max():.2f} |" in page
    assert "| cut | SpinalCord | 55.5 % |" in page


def test_an_organ_wholly_outside_the_dose_has_no_figure_and_no_verdict(tmp_path: Path) -> None:
    for side in ("r", "p"):
        contours(tmp_path / side / "a", ("Parotid_L", "SpinalCord"))
    with_dose(tmp_path / "r" / "a", frames=3)
    doses, histograms, page = run(tmp_path)
    for organ in ("Parotid_L", "SpinalCord"):
        row = doses["a", organ]
        for side in ("clinical", "predicted"):
            assert row[f"{side}_covered"] == "0"
            assert {row[f"{side}_{name}"] for name in ("mean_gy", "max_gy", "d2_gy")} == {""}
        assert {histograms["a", organ][f"{gy:g} Gy"] for gy in DVH_GY} == {""}
        assert histograms["a", organ]["covered"] == "0"
        assert f"| a | {organ} | 0.0 % | - | - | - | 0.0 % | - | - | - |" in page
    assert "| Parotid_L | 0 | 0 | 1 | Dmean | - | - | - | - | - |" in page
    unjudged = "| 0 | 1 | not judged | not judged | not judged |"
    assert f"| Parotid_L | Dmean 26 Gy {unjudged}" in page
    assert f"| SpinalCord | Dmax 45 Gy {unjudged}" in page
    assert "nan" not in page
    assert not (tmp_path / "out" / "dose.png").exists()


def organ_dose(case: str, clinical: list[float], predicted: list[float] | None) -> OrganDose:
    sides = [None if side is None else np.array(side) for side in (clinical, predicted)]
    found = [None if side is None else statistics(side) for side in sides]
    curves = [None if side is None else histogram(side) for side in sides]
    assert found[0] is not None
    assert curves[0] is not None
    return OrganDose(case, "Parotid_L", found[0], found[1], 1.0, curves[0], curves[1])


def test_one_uncovered_contour_of_a_pair_leaves_the_pair_out() -> None:
    nan = float("nan")
    doses = [
        organ_dose("both", [20, 30], [24, 34]),
        organ_dose("predicted", [20, 30], [5, nan]),
        organ_dose("clinical", [5, nan], [20, 30]),
        organ_dose("missed", [5, nan], None),
    ]
    assert [one.comparable for one in doses] == [True, False, False, False]
    assert "| Parotid_L | 1 | 1 | 2 | Dmean | 25.00 (0.00) | 29.00 (0.00) |" in table(doses)
    assert "| Parotid_L | Dmean 26 Gy | 1 | 2 | 1 | 0 | 1 |" in limits(doses)
    assert [line.split(" | ")[0] for line in worst(doses).splitlines()[2:]] == ["| both"]
    listed = not_covered(doses).splitlines()[2:]
    assert listed == [
        "| predicted | Parotid_L | 100.0 % | 25.00 | 30.00 | 30.00 | 50.0 % | 5.00 | 5.00 | 5.00 |",
        "| clinical | Parotid_L | 50.0 % | 5.00 | 5.00 | 5.00 | 100.0 % | 25.00 | 30.00 | 30.00 |",
        "| missed | Parotid_L | 50.0 % | 5.00 | 5.00 | 5.00 | - | - | - | - |",
    ]
