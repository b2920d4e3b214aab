"""A network that cannot be trained is refused before a patient is read; narrow ones train."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from oarflow.commands import main
from oarflow.training.architectures import build_network
from oarflow.training.configuration import read_configuration, shipped
from oarflow.training.data import TrainingData
from oarflow.training.dry_run import require_trainable
from oarflow.training.memory_layout import memory_format
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.patients import small
from tests.oarflow.training.test_data import NETWORK

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
PATCH = {"patch_mm": [0, 192, 192], "spacing_mm": [0, 4, 4]}


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


def test_shipped_networks_can_be_trained_and_keep_their_layout() -> None:
    for name, _, organs in shipped():
        configuration = read_configuration(f"{name}/{organs[0]}" if organs else name)
        require_trainable(configuration)
        with torch.device("meta"):
            network = build_network(configuration)
        if configuration.dimensions == 2:
            assert memory_format(network, 2, CPU) is torch.channels_last, name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("slice/Parotid_L widths=[8, 16]", "each resolution needs a width"),
        ("slice/Parotid_L widths=[0, 1]", "widths.0: Input should be greater than 0"),
        ("slice/Parotid_L widths=[-8, 16]", "widths.0: Input should be greater than 0"),
        ("slice/Parotid_L widths=[]", "widths: Tuple should have at least 1 item"),
        ("slice/Parotid_L blocks=[0, 1, 1, 1, 1]", "blocks.0: Input should be greater than 0"),
        ("slice/Parotid_L patch_mm=[0, 150, 150]", "on patches of 50 x 50 voxels"),
        ("twostep_each/Parotid_L widths=[8]", "dyn_unet with widths [8] cannot be built"),
        ("resu_compact widths=[8]", "no less than 2"),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused_before_data_are_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    words: str,
) -> None:
    write_pddca(tmp_path / "data", "0522c0001")
    write_pddca(tmp_path / "data", "0522c0002")

    def read(*_: object, **__: object) -> None:
        pytest.fail("a patient was read")

    monkeypatch.setattr(TrainingData, "read", read)
    network, change = given.split(maxsplit=1)
    command = ["fit", network, "--data", str(tmp_path / "data"), "--work", str(tmp_path)]
    assert main(["train", *command, "--set", change]) == 2
    assert words in capsys.readouterr().err
