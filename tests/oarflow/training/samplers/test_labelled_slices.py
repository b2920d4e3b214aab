"""Slices that hold one organ."""

from __future__ import annotations

import numpy as np
import torch

from oarflow.training.samplers.labelled_slices import LabelledSliceSampler
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.patients import patient, small


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
