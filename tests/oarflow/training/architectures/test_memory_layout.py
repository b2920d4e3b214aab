"""Narrow networks train, in the memory layout that is safe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from oarflow.training.architectures import build_network
from oarflow.training.architectures.memory_layout import memory_format
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.configurations import NETWORK
from tests.oarflow.training.patients import small

PATCH = {"patch_mm": [0, 192, 192], "spacing_mm": [0, 4, 4]}
ROOT = Path(__file__).resolve().parents[4]


CPU = torch.device("cpu")


@pytest.mark.parametrize("widths", [[8, 16], [16, 15, 16]])
def test_a_narrow_network_is_trained_to_its_end(tmp_path: Path, widths: list[int]) -> None:
    """In a process of its own: oneDNN's fault ends the process, not the test."""
    for k in (1, 2):
        write_pddca(tmp_path / "data", f"0522c000{k}")
    network = tmp_path / "network.yaml"
    patch = {"patch_mm": [0, 384, 384], "spacing_mm": [0, 4, 4]}
    blocks = [1] * len(widths)
    measures = {"widths": widths, "blocks": blocks, "batch": 4, "steps": 5}
    network.write_text(yaml.safe_dump(NETWORK | patch | measures))
    command = ["fit", str(network), "--data", str(tmp_path / "data"), "--work", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "oarflow", "train", *command],
        cwd=ROOT,
        env={**os.environ, "MALLOC_CHECK_": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_the_gradients_of_a_narrow_network_are_right() -> None:
    configuration = small(widths=[8, 16], blocks=[1, 1], **PATCH)
    network = build_network(configuration)
    network.to(memory_format=memory_format(network, 2, CPU))  # type: ignore[call-overload]
    exact = build_network(configuration).double()
    images = torch.randn(4, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    network(images).square().mean().backward()
    exact(images.double()).square().mean().backward()
    for found, wanted in zip(network.parameters(), exact.parameters(), strict=True):
        assert found.grad is not None
        assert wanted.grad is not None
        scale = float(wanted.grad.abs().max())
        assert torch.allclose(found.grad.double(), wanted.grad, atol=1e-3 * scale + 1e-9)


@pytest.mark.parametrize(
    ("widths", "wanted"),
    [
        ([16, 32, 64], torch.channels_last),
        ([16, 32, 8], torch.channels_last),
        ([8, 16, 32], torch.contiguous_format),
        ([16, 15, 32], torch.contiguous_format),
    ],
)
def test_channels_come_last_where_that_is_safe(
    widths: list[int], wanted: torch.memory_format
) -> None:
    network = build_network(small(widths=widths))
    assert memory_format(network, 2, CPU) is wanted
    assert memory_format(network, 2, torch.device("cuda")) is torch.channels_last
