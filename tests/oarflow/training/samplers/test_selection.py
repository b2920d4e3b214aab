"""Each configuration's sampler; batches of the same seed are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oarflow.training.configuration import read_configuration
from oarflow.training.samplers.selection import sampler_for, validation_sampler
from tests.oarflow.training.patients import patient, small


def test_batches_are_the_same_for_the_same_seed() -> None:
    sampler = sampler_for([patient(1), patient(2)], small())
    first = sampler.draw(np.random.default_rng((1, 7)))
    again = sampler.draw(np.random.default_rng((1, 7)))
    other = sampler.draw(np.random.default_rng((1, 8)))
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)


@pytest.mark.parametrize("name", ["resu_compact", "c2f_axial", "localizer_axial"])
def test_organs_that_the_data_lacks_are_named_with_the_way_out(name: str) -> None:
    with pytest.raises(ValueError, match="no training case has Brainstem") as error:
        sampler_for([patient(0)], read_configuration(name))
    told = str(error.value)
    assert told.endswith("--set 'organs=[Parotid_L, Parotid_R]'")


def test_validation_samples_are_the_patients_as_they_are() -> None:
    sampler = validation_sampler([patient(1)], small(jitter_mm=[0, 0, 0], beyond_mm=0, batch=16))
    batch = sampler.draw(np.random.default_rng(0))
    middle = batch.inputs[:, 1][:, None]
    # The ball's inside is 150 HU: 0.6 on the network's scale, on every sample alike.
    assert (middle[batch.targets > 0.99] - 0.6).abs().max() < 0.02
