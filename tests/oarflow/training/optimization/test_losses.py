"""Losses against values worked out by hand; what is not labelled teaches nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from oarflow.training.optimization.losses import (
    LOSSES,
    boundary,
    cross_entropy,
    dice,
    dice_and_cross_entropy,
    distance_maps,
    focal,
    generalized_dice,
    objective,
    weighted_cross_entropy,
)
from tests.oarflow.training.configurations import region
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


def test_deep_supervision_halves_each_head_s_share() -> None:
    configuration = region(losses={"dice": 1.0})
    loss = objective(configuration)
    targets = torch.zeros(1, 1, 4, 4, 4)
    targets[..., :2] = 1
    good, bad = (targets * 2 - 1) * 20, (1 - targets * 2) * 20
    known = KNOWN
    alone = [float(loss(logits, targets, known)) for logits in (good, bad)]
    both = float(loss(torch.stack((good, bad, bad), dim=1), targets, known))
    assert both == pytest.approx(alone[0] + 0.75 * alone[1], abs=1e-5)


def test_c2f_s_losses_by_hand() -> None:
    """Four voxels, one of them organ; p is 0.5 everywhere."""
    targets = torch.tensor([1.0, 0, 0, 0]).reshape(1, 1, 4, 1)
    logits = torch.zeros(1, 1, 4, 1)
    # weights 3 and 1/3: every term is log 2, whatever its weight
    assert float(weighted_cross_entropy(logits, targets, KNOWN)) == pytest.approx(np.log(2))
    # classes: 3 voxels (weight 1/9) and 1 voxel (weight 1); overlaps 1.5 and 0.5
    overlap = 1.5 / 9 + 0.5
    total = (2 + 3) / 9 + (2 + 1)
    expected = 1 - 2 * overlap / total
    assert float(generalized_dice(logits, targets, KNOWN)) == pytest.approx(expected)
    rare = torch.tensor([0.0, 20, 20, 20]).reshape(1, 1, 4, 1) * -1  # right but for the organ
    assert float(weighted_cross_entropy(rare, targets, KNOWN)) == pytest.approx(
        0.75 * np.log(2), abs=1e-4
    )


def test_what_is_not_labelled_does_not_count_in_the_loss() -> None:
    logits = torch.zeros(2, 2, 8, 8, requires_grad=True)
    known = torch.tensor([[True, False], [True, True]])
    dice_and_cross_entropy(logits, torch.zeros(2, 2, 8, 8), known).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1].abs().max() == 0
    assert logits.grad[1, 1].abs().max() > 0


def test_the_loss_is_least_at_the_truth() -> None:
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:6, 2:6] = 1
    known = torch.ones(1, 1, dtype=torch.bool)
    right = dice_and_cross_entropy((truth * 2 - 1) * 20, truth, known)
    wrong = dice_and_cross_entropy((1 - truth * 2) * 20, truth, known)
    assert right < 0.01
    assert wrong > 1
