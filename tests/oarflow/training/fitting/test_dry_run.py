"""A network that cannot be trained is refused before a patient is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.commands import main
from oarflow.training.architectures import build_network
from oarflow.training.architectures.memory_layout import memory_format
from oarflow.training.configuration import read_configuration, shipped_configurations
from oarflow.training.data.data_set import TrainingData
from oarflow.training.fitting.dry_run import require_trainable
from tests.oarflow.datasets.made_up import write_pddca

CPU = torch.device("cpu")


PATCH = {"patch_mm": [0, 192, 192], "spacing_mm": [0, 4, 4]}


def test_shipped_networks_can_be_trained_and_keep_their_layout() -> None:
    for name, _, organs in shipped_configurations():
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
