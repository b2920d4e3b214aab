"""Mixup keeps both samples' labels."""

from __future__ import annotations

import numpy as np
import torch

from oarflow.training.augmentation.mixup import mix
from oarflow.training.data.batches import SampleBatch


def test_mixup_lays_samples_over_each_other_and_keeps_both_labels() -> None:
    images = torch.tensor([1.0, 10.0, 100.0, 1000.0]).reshape(4, 1, 1, 1)
    known = torch.tensor([[True], [False], [True], [True]])
    batch = SampleBatch(images, images * 2, known)
    shares = []
    for seed in range(20):
        mixture = mix(batch, np.random.default_rng(seed))
        first, second = mixture.parts
        expected = mixture.share * first.inputs + (1 - mixture.share) * second.inputs
        torch.testing.assert_close(mixture.inputs, expected)
        assert torch.equal(second.targets, second.inputs * 2)
        assert torch.equal(second.known[:, 0], second.inputs[:, 0, 0, 0] != 10)
        assert sorted(second.inputs.flatten().tolist()) == [1, 10, 100, 1000]
        shares.append(mixture.share)
    # Beta(0.2, 0.2) lies mostly near its ends.
    assert sum(min(share, 1 - share) < 0.1 for share in shares) > 8
    assert len(set(shares)) == 20
