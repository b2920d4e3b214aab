"""Two observers: resampling by areas, and agreement on a made-up scan, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.datasets.tcia_oars import scans
from oarflow.evaluation.comparison.observers import COARSE, NATIVE, interobserver_scores, resampled
from oarflow.organs import load_catalogue

CATALOGUE = load_catalogue()


def write(path: Path, masks: dict[str, tuple[np.ndarray, tuple[int, int, int]]]) -> None:
    arrays = {"shape": np.array((20, 64, 64)), "spacing_mm": np.array((2.5, 1.0, 1.0))}
    for name, (values, offset) in masks.items():
        arrays |= {name: values, f"{name}.offset": np.array(offset)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def block(z: int, y: int, x: int) -> np.ndarray:
    return np.ones((z, y, x), dtype=bool)


def test_a_pixel_is_in_where_half_of_its_area_is() -> None:
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[0, 0:4, 0:2] = True  # half of the first pixel of 4 mm
    mask[0, 4:8, 4:5] = True  # a quarter of the last
    found = resampled(mask, (2.5, 1.0, 1.0), (2.5, 4.0, 4.0))
    assert found.tolist() == [[[True, False], [False, False]]]
    # 3 mm pixels cut 1 mm ones nowhere: 6 of 9 in the first; beyond the edge nothing is in.
    assert resampled(mask, (2.5, 1.0, 1.0), (2.5, 3.0, 3.0))[0].tolist() == [
        [True, False, False],
        [False, False, False],
        [False, False, False],
    ]
    with pytest.raises(ValueError, match="slices"):
        resampled(mask, (2.5, 1.0, 1.0), (3.0, 4.0, 4.0))


def test_agreement_of_two_drawings(tmp_path: Path) -> None:
    nothing = np.zeros((0, 0, 0), dtype=bool)
    cube, bar = block(4, 8, 8), block(4, 8, 12)
    write(
        tmp_path / "data/test/oncologist/a.npz",
        {"Parotid-Lt": (cube, (2, 8, 8)), "Lens-Lt": (block(1, 1, 1), (5, 20, 21)),
         "Brain": (cube, (2, 8, 8))},
    )  # fmt: skip
    write(
        tmp_path / "data/test/radiographer/a.npz",
        {"Parotid-Lt": (bar, (2, 8, 8)), "Lens-Lt": (block(1, 1, 1), (5, 20, 21)),
         "Brain": (nothing, (0, 0, 0))},
    )  # fmt: skip
    found = interobserver_scores(tmp_path / "data", CATALOGUE, tmp_path / "cache")
    native = {one.organ: one for one in found[NATIVE]}
    # 8 x 8 against 8 x 12 columns: 2 * 8 / 20; four columns of 1 mm too many.
    assert set(native) == {"Parotid_L", "Lens_L"}
    assert native["Parotid_L"].dsc == pytest.approx(0.8)
    assert native["Parotid_L"].hd_mm == 4.0
    # On pixels of 4 mm 2 x 2 against 2 x 3; the lens of one voxel is gone.
    coarse = {one.organ: one for one in found[COARSE]}
    assert set(coarse) == {"Parotid_L"}
    assert coarse["Parotid_L"].dsc == pytest.approx(0.8)
    assert coarse["Parotid_L"].hd95_mm == 4.0
    again = interobserver_scores(tmp_path / "data", CATALOGUE, tmp_path / "cache")
    assert [one.organ for one in again[NATIVE]] == [one.organ for one in found[NATIVE]]
    flags = ["--data", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]
    assert main(["evaluate", "human", *flags, "--output", str(tmp_path)]) == 0
    assert "| Parotid_L | 1 | 0.800 (0.000) |" in (tmp_path / "human.md").read_text()
    with pytest.raises(FileNotFoundError, match="no scan by"):
        scans(tmp_path / "cache")
