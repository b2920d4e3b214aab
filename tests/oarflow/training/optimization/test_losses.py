"""Losses against values worked out by hand; what is not labelled teaches nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from oarflow.training.batches import Batch, mix
from oarflow.training.losses import (
    LOSSES,
    boundary,
    cross_entropy,
    dice,
    distance_maps,
    focal,
    objective,
)
from tests.oarflow.training.patients import small

KNOWN = torch.ones(1, 1, dtype=torch.bool)
SOFTMAX = [name for name in LOSSES if name != "dice_and_cross_entropy"]


def row(*values: float) -> Tensor:
    """(1, 1, 1, n): one sample of one organ."""
    return torch.tensor(values).reshape(1, 1, 1, -1)


def test_a_distance_map_is_positive_outside_and_negative_inside() -> None:
    assert distance_maps(row(0, 0, 1, 1, 1, 0))[0, 0, 0].tolist() == [2, 1, -1, -2, -1, 1]
    assert distance_maps(row(0, 0, 0))[0, 0, 0].tolist() == [0, 0, 0]


def test_the_boundary_loss_is_the_mean_of_probability_times_distance() -> None:
    # Half everywhere: (2 + 1 - 1 + 1 + 2) / 2 over five voxels.
    assert float(boundary(row(0, 0, 0, 0, 0), row(0, 0, 1, 0, 0), KNOWN)) == pytest.approx(0.5)
    right = boundary(row(-20, -20, 20, -20, -20), row(0, 0, 1, 0, 0), KNOWN)
    assert float(right) == pytest.approx(-1 / 5)


def test_focal_weighs_cross_entropy_down() -> None:
    logits, truth = row(0, 0), row(0, 1)
    assert float(cross_entropy(logits, truth, KNOWN)) == pytest.approx(math.log(2))
    assert float(focal(logits, truth, KNOWN)) == pytest.approx(0.25 * math.log(2))
    three_classes, two_known = torch.zeros(1, 3, 1, 2), torch.ones(1, 2, dtype=torch.bool)
    organs = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]])
    assert float(cross_entropy(three_classes, organs, two_known)) == pytest.approx(math.log(3))
    found = float(focal(three_classes, organs, two_known))
    assert found == pytest.approx((2 / 3) ** 2 * math.log(3))


def test_dice_by_hand() -> None:
    # Overlap 2 x 0.5 = 1, probabilities 4 x 0.5 = 2, truth 2, and one in both for smoothness.
    found = dice(row(0, 0, 0, 0), row(1, 1, 0, 0), KNOWN)
    assert float(found) == pytest.approx(1 - (2 * 1 + 1) / (2 + 2 + 1))


@pytest.mark.parametrize("name", SOFTMAX)
def test_an_unlabelled_organ_gets_no_gradient(name: str) -> None:
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 6, 6, generator=random, requires_grad=True)
    targets = torch.zeros(2, 2, 6, 6)
    targets[:, 0, :3, :3] = 1
    targets[1, 1, 4:, 4:] = 1
    known = torch.tensor([[True, False], [True, True]])
    LOSSES[name](logits, targets, known).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 2].abs().max() == 0
    assert logits.grad[0, 1].abs().max() > 0
    assert logits.grad[1, 2].abs().max() > 0


@pytest.mark.parametrize("name", SOFTMAX)
def test_the_truth_is_better_than_its_opposite(name: str) -> None:
    targets = torch.zeros(1, 1, 8, 8)
    targets[..., 2:6, 2:6] = 1
    both = torch.cat((1 - targets, targets), dim=1) * 20
    known = torch.ones(1, 1, dtype=torch.bool)
    assert LOSSES[name](both, targets, known) < LOSSES[name](20 - both, targets, known) - 0.5


def test_an_objective_weighs_its_losses() -> None:
    logits, truth = row(0.3, -1, 2), row(0, 0, 1)
    both = objective(small(losses={"dice": 1, "boundary": 0.5}))
    expected = dice(logits, truth, KNOWN) + 0.5 * boundary(logits, truth, KNOWN)
    assert float(both(logits, truth, KNOWN)) == pytest.approx(float(expected))
    with pytest.raises(ValueError, match="no loss 'dise'"):
        objective(small(losses={"dise": 1}))


def test_mixup_lays_samples_over_each_other_and_keeps_both_labels() -> None:
    images = torch.tensor([1.0, 10.0, 100.0, 1000.0]).reshape(4, 1, 1, 1)
    known = torch.tensor([[True], [False], [True], [True]])
    batch = Batch(images, images * 2, known)
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
