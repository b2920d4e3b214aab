"""Deformation takes labels along."""

from __future__ import annotations

import numpy as np
import torch

from oarflow.networks.sampling import AIR_HU
from oarflow.training.augmentation.deformation import deform


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
