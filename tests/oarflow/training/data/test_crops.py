"""Crops are pasted back to their place, and archived."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import pytest

from oarflow.training.data.crops import crop_of, cut, cut_mask, paste_back, write_crops
from tests.oarflow.training.patients import patient, small


@pytest.mark.parametrize("region", ["patch", "slice"])
def test_what_is_cut_is_pasted_back_to_its_place(region: str) -> None:
    case = patient(3)
    edge = 96 if region == "patch" else 224
    configuration = small(region=region, patch_mm=[0, edge, edge], offsets_mm=[0])
    crop = crop_of(case, "Parotid_L", configuration)
    share = cut_mask(case, crop, configuration)
    assert cut(case, crop, configuration).shape == share.shape
    back = paste_back(share[:, 0].numpy(), crop, case, configuration) >= 0.5
    truth = case.masks["Parotid_L"]
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > 0.95
    assert not back[: crop.first].any()
    assert not back[crop.last + 1 :].any()


def test_the_archive_has_a_row_a_crop(tmp_path: Path) -> None:
    crops = [crop_of(patient(k), "Parotid_R", small()) for k in range(3)]
    write_crops(crops, tmp_path / "crops.csv")
    with (tmp_path / "crops.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [{key: str(value) for key, value in asdict(crop).items()} for crop in crops] == rows
