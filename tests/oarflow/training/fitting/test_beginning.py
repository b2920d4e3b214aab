"""A training that begins with another's weights, and one in half the precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.errors import ConfigurationError
from oarflow.training.configuration import read_configuration
from oarflow.training.fitting.checkpoint import averaged_weights, read_checkpoint
from oarflow.training.fitting.loop import train
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.patients import patient, small

CASES = [patient(1)]


def test_it_begins_with_the_averaged_weights_and_goes_on_from_its_own(tmp_path: Path) -> None:
    first = small(steps=6)
    train(sampler_for(CASES, first), first, tmp_path / "first")
    weights = averaged_weights(read_checkpoint(tmp_path / "first"))
    # At a rate of nothing the weights stay where they began.
    second = small(steps=2, learning_rate=0.0, weight_decay=0.0)
    train(sampler_for(CASES, second), second, tmp_path / "second", begin=tmp_path / "first")
    found = averaged_weights(read_checkpoint(tmp_path / "second"))
    for key, values in weights.items():
        if "running" not in key and "num_batches" not in key:
            assert torch.allclose(found[key], values, atol=1e-6), key
    longer = small(steps=8)
    train(sampler_for(CASES, longer), longer, tmp_path / "whole", begin=tmp_path / "first")
    stopped = tmp_path / "stopped"
    train(sampler_for(CASES, longer), longer, stopped, begin=tmp_path / "first", limit_s=0.0)
    assert read_checkpoint(stopped)["step"] < 8
    train(sampler_for(CASES, longer), longer, stopped, begin=tmp_path / "first")
    one, other = (averaged_weights(read_checkpoint(tmp_path / n)) for n in ("whole", "stopped"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    first, other = small(steps=2), small(steps=2, widths=[4, 8, 12])
    train(sampler_for(CASES, first), first, tmp_path / "first")
    with pytest.raises(ConfigurationError, match="another network"):
        train(sampler_for(CASES, other), other, tmp_path / "other", begin=tmp_path / "first")


def test_products_in_bfloat16_leave_single_weights(tmp_path: Path) -> None:
    configuration = small(steps=4, precision="bfloat16")
    outcome = train(sampler_for(CASES, configuration), configuration, tmp_path)
    assert {value.dtype for value in outcome.network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "organ", ["Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Bone_Mandible"]
)
def test_the_tuned_networks_are_those_of_the_base(organ: str) -> None:
    """Same network, same patch and window: only how it is trained differs."""
    base, tuned = read_configuration(f"slice/{organ}"), read_configuration(f"experts/{organ}")
    differing = {
        key for key in type(base).model_fields if getattr(base, key) != getattr(tuned, key)
    }
    assert differing <= {"steps", "learning_rate", "precision"}


def test_a_pair_begins_with_one_organ(tmp_path: Path) -> None:
    one = small(steps=4)
    train(sampler_for(CASES, one), one, tmp_path / "one")
    pair = small(steps=1, organs=["Parotid_L", "Parotid_R"], learning_rate=0.0, weight_decay=0.0)
    outcome = train(sampler_for(CASES, pair), pair, tmp_path / "pair", begin=tmp_path / "one")
    output = outcome.network.eval()(torch.randn(2, 3, 16, 16))
    assert output.shape == (2, 2, 16, 16)
    assert torch.allclose(output[:, 0], output[:, 1])
