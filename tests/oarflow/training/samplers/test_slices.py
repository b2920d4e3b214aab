"""Crops go back to where they came from; labels go with their image; rare organs come as often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.networks.sampling import AIR_HU
from oarflow.training.crops import (
    crop_of,
    cut,
    cut_mask,
    paste_back,
    read_crops,
    write_crops,
)
from oarflow.training.deformation import deform
from oarflow.training.samplers import sampler_for, validation_sampler
from oarflow.training.slices import LabelledSliceSampler, WholeSliceSampler
from tests.oarflow.training.patients import ORGANS, patient, small


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


def test_the_archive_of_crops_reads_back(tmp_path: Path) -> None:
    crops = [crop_of(patient(k), "Parotid_R", small()) for k in range(3)]
    write_crops(crops, tmp_path / "crops.csv")
    assert read_crops(tmp_path / "crops.csv") == crops
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other\.csv is no archive"):
        read_crops(tmp_path / "other.csv")


def test_only_labelled_slices_are_drawn_and_none_is_changed() -> None:
    cases = [patient(1), patient(2, organs=("Parotid_R",))]
    configuration = small(sampling="labelled_slices", augmentation="none", offsets_mm=[0])
    sampler = sampler_for(cases, configuration)
    assert isinstance(sampler, LabelledSliceSampler)
    planes = cases[0].masks["Parotid_L"].any(axis=(1, 2)).sum()
    assert 0 < len(sampler) <= planes
    batch = sampler.draw(np.random.default_rng(0))
    assert (batch.targets.amax(dim=(1, 2, 3)) >= 0.5).all()
    # 150 HU in a window of -250 to 250 is 0.6 on the network's scale.
    torch.testing.assert_close(batch.inputs[batch.targets > 0.99].mean(), torch.tensor(0.6))


def whole(**changes: object) -> WholeSliceSampler:
    cases = [patient(1), patient(2, organs=("Parotid_R",))]
    values: dict[str, object] = {
        "organs": list(ORGANS),
        "sampling": "whole_slices",
        "patch_mm": [0, 192, 192],
        "beyond_mm": 0,
        "offsets_mm": [0],
        "augmentation": "none",
        "batch": 8,
    }
    sampler = sampler_for(cases, small(**values | changes))
    assert isinstance(sampler, WholeSliceSampler)
    return sampler


def test_whole_slices_say_which_organs_are_labelled() -> None:
    batch = whole().draw(np.random.default_rng(1))
    assert batch.targets.shape == (8, 2, 48, 48)
    assert batch.known[:, 1].all()
    assert 0 < int(batch.known[:, 0].sum()) < 8
    assert batch.targets[~batch.known[:, 0], 0].abs().max() == 0


def test_weighted_mixup_draws_each_organ_as_often() -> None:
    plain, weighted = whole(), whole(mixup="weighted")
    counts = np.zeros(2)
    drawn = np.zeros(2)
    for number, (case, plane) in enumerate(weighted._planes):
        masks = [patient(1), patient(2, organs=("Parotid_R",))][case].masks
        holds = np.array([o in masks and masks[o][plane].any() for o in ORGANS])
        counts += holds
        # A slice that holds both counts for each by its own part of the weight.
        drawn += holds * weighted.shares[number]
    assert counts[1] > 1.5 * counts[0]
    assert len(set(plain.shares)) == 1
    assert drawn[0] / drawn[1] > 1.3 * counts[0] / counts[1]


def test_a_deformed_slice_takes_its_labels_along() -> None:
    masks = torch.zeros(2, 64, 64)
    masks[0, 10:30, 12:40] = 1
    masks[1, 35:60, 20:50] = 1
    image = AIR_HU + 1000 * masks.sum(dim=0, keepdim=True)
    changed = 0
    for seed in range(12):
        bent, labels = deform(image, masks, np.random.default_rng(seed))
        torch.testing.assert_close(
            bent, AIR_HU + 1000 * labels.sum(dim=0, keepdim=True), atol=0.1, rtol=0
        )
        changed += not torch.equal(labels, masks)
        again, _ = deform(image, masks, np.random.default_rng(seed))
        assert torch.equal(bent, again)
    assert 2 <= changed <= 10


def test_validation_samples_are_the_patients_as_they_are() -> None:
    sampler = validation_sampler([patient(1)], small(jitter_mm=[0, 0, 0], beyond_mm=0, batch=16))
    batch = sampler.draw(np.random.default_rng(0))
    middle = batch.inputs[:, 1][:, None]
    # The ball's inside is 150 HU: 0.6 on the network's scale, on every sample alike.
    assert (middle[batch.targets > 0.99] - 0.6).abs().max() < 0.02
