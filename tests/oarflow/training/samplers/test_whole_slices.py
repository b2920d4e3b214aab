"""Whole slices with all organs."""

from __future__ import annotations

import numpy as np

from oarflow.training.samplers.selection import sampler_for
from oarflow.training.samplers.whole_slices import WholeSliceSampler
from tests.oarflow.training.patients import ORGANS, patient, small


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
