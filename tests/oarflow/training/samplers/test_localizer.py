"""Samples of a localizer."""

from __future__ import annotations

import numpy as np

from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.patients import ORGANS, patient, small


def test_the_localizer_leaves_unlabelled_organs_out() -> None:
    cases = [patient(1), patient(2, organs=("Parotid_L",))]
    sampler = sampler_for(
        cases,
        small(name="l", role="localizer", organs=list(ORGANS), spacing_mm=[5, 5, 5], batch=16),
    )
    batch = sampler.draw(np.random.default_rng(0))
    assert batch.targets.shape == (16, 2, 24, 24) or batch.targets.shape[:2] == (16, 2)
    assert batch.known[:, 0].all()
    assert 0 < int(batch.known[:, 1].sum()) < 16
    assert batch.targets[~batch.known[:, 1], 1].abs().max() == 0
