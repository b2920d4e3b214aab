"""A clinic's CTs, imitated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.clinic import IMAGE_CHANGES, crop_field, lost_planes
from oarflow.training.data.resampling import Pose, sample_ct
from tests.oarflow.training.patients import patient


@pytest.mark.parametrize("change", [change for _, change in IMAGE_CHANGES])
def test_every_change_keeps_shape_and_numbers(change) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(3)
    planes = sample_ct(
        patient(1),
        Pose.straight(np.array([48.0, 78.0, 94.0])),
        (np.array([-3.0, 0, 3]), centred_axis(0, 48, 4.0), centred_axis(0, 48, 4.0)),
    )
    changed = [change(planes, random) for _ in range(8)]
    assert all(item.shape == planes.shape and torch.isfinite(item).all() for item in changed)
    assert any(not torch.equal(item, planes) for item in changed)


def test_what_the_field_of_view_cuts_is_gone_from_the_label() -> None:
    random = np.random.default_rng(1)
    planes, masks = torch.zeros(3, 32, 32), torch.ones(1, 32, 32)
    for _ in range(10):
        cut, left = crop_field(planes, masks, random)
        assert torch.equal(cut[0] == -1024, left[0] == 0)


def test_lost_planes_spare_the_middle_one() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        lost = lost_planes(torch.zeros(5, 4, 4), random)
        assert lost[2].abs().max() == 0
        assert (lost == -1024).any()
