"""Fast inference beside exact labels, on spheres that are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.evaluation.fast_inference.agreement import fast_agreement, overlap
from oarflow.evaluation.fast_inference.page import markdown
from oarflow.structures import Localization
from tests.oarflow.chain import sphere_volume
from tests.oarflow.segmentation.imported_networks import write_imported

CENTRES = {"Parotid_L": (40.0, 5.0, 3.0), "Parotid_R": (-41.0, 5.0, 3.0)}


def test_what_lies_outside_the_searched_part_is_counted(tmp_path: Path) -> None:
    """Far from the left sphere lies a cube of 4 x 4 x 4 voxels of the same HU."""
    volume = sphere_volume(CENTRES)
    volume.hu[volume.hu == 0] = 1.0
    plain = volume.hu.copy()
    volume.hu[4:8, 4:8, 4:8] = 100.0
    found = {
        organ: Localization(organ, True, 1.0, centre, (24.0, 24.0, 24.0), (20, 40))
        for organ, centre in CENTRES.items()
    }
    card = write_imported(tmp_path / "n", mirror_axes=(0,))
    path = tmp_path / "n" / "model.ts"
    rows = {}
    for hu in (plain, volume.hu):
        rows = {
            one.organ: one
            for one in fast_agreement("spheres", replace(volume, hu=hu), found, path, card)
        }
        assert rows["Parotid_R"].outside == 0
        for one in rows.values():
            assert one.searched.dice > 0.99
            assert one.searched.mean_mm < 0.1
        if hu is plain:
            assert rows["Parotid_L"].outside == 0
            assert rows["Parotid_L"].whole == rows["Parotid_L"].searched
    left = rows["Parotid_L"]
    assert 27 <= left.outside <= 150
    assert left.whole.dice < left.searched.dice
    assert left.whole.mean_mm > left.searched.mean_mm + 0.1
    text = markdown(list(rows.values()), card, "oarflow evaluate", "2026-01-31")
    assert "2 of 2 organs of 2 cc and more" in text
    assert f"| {left.outside} |" in text


def test_the_empty_margin_changes_nothing() -> None:
    mask = np.zeros((20, 20, 20), dtype=np.bool_)
    mask[5:9, 5:9, 5:9] = True
    moved = np.roll(mask, 1, axis=2)
    found = overlap(mask, moved, (2.0, 1.0, 1.0))
    assert found.dice == pytest.approx(0.75)
    assert 0 < found.mean_mm < 1
    assert math.isnan(overlap(mask, mask & False, (1.0, 1.0, 1.0)).mean_mm)
