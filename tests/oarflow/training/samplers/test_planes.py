"""Planes for a network of one organ or of a pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oarflow.training.samplers.planes import PlaneSampler
from tests.oarflow.training.patients import patient, small

PAIR = small(
    organs=["Parotid_L", "Parotid_R"],
    patch_mm=[0, 192, 192],
    batch=8,
    augmentation="none",
    jitter_mm=[0, 0, 0],
)


def test_each_organ_of_a_pair_has_its_own_output() -> None:
    batch = PlaneSampler([patient(1)], PAIR).draw(np.random.default_rng(0))
    assert batch.targets.shape == (8, 2, 48, 48)
    middle = batch.inputs[:, 1]
    for number, brighter in enumerate((True, False)):
        inside = batch.targets[:, number] > 0.99
        assert inside.any()
        assert bool((middle[inside] > 0.3).all()) is brighter
        assert bool((middle[inside] < -0.3).all()) is not brighter
    # x grows to the left: the left organ lies in the right half of a patch between the two.
    columns = torch.arange(48.0)
    left, right = (float((batch.targets[:, n].sum(dim=(0, 1)) * columns).sum()) for n in (0, 1))
    total = batch.targets.sum(dim=(0, 2, 3))
    assert left / float(total[0]) > 24 > right / float(total[1])


def test_an_organ_without_a_label_is_unknown() -> None:
    sampler = PlaneSampler([patient(2, organs=("Parotid_R",))], PAIR)
    batch = sampler.draw(np.random.default_rng(0))
    assert batch.known.tolist() == [[False, True]] * 8
    assert float(batch.targets[:, 0].sum()) == 0 < float(batch.targets[:, 1].sum())


def test_patients_without_any_of_the_organs_are_refused() -> None:
    with pytest.raises(ValueError, match="no training case has Parotid_L, Parotid_R"):
        PlaneSampler([patient(1, organs=())], PAIR)


def test_a_mirrored_sample_exchanges_the_organs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The left organ is the bright one: mirrored, the right organ's output holds it."""
    monkeypatch.setattr("oarflow.training.samplers.planes.SHARE_MIRRORED", 1.0)
    mirrored = PAIR.model_copy(update={"mirror": True, "augmentation": "clinic"})
    batch = PlaneSampler([patient(1)], mirrored).draw(np.random.default_rng(0))
    middle = batch.inputs[:, 1]
    bright, dark = (middle[batch.targets[:, number] > 0.99].mean() for number in (1, 0))
    assert float(bright) > 0.3 > -0.3 > float(dark)
    columns = torch.arange(48.0)
    left = batch.targets[:, 0]
    assert float((left.sum(dim=(0, 1)) * columns).sum() / left.sum()) > 24
    one = PlaneSampler([patient(2, organs=("Parotid_R",))], mirrored)
    assert one.draw(np.random.default_rng(0)).known.tolist() == [[True, False]] * 8


@pytest.mark.parametrize("organs", [["Parotid_L"], ["Parotid_R", "Brainstem"]])
def test_only_a_pair_can_be_mirrored(organs: list[str]) -> None:
    with pytest.raises(ValueError, match="mirror needs two organs"):
        small(organs=organs, mirror=True)


@pytest.mark.parametrize("change", [{"region": "slice"}, {"sampling": "labelled_slices"}])
def test_only_patches_are_mirrored(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="mirror needs `dimensions: 2`"):
        small(organs=["Parotid_L", "Parotid_R"], mirror=True, **change)
