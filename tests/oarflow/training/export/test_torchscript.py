"""A TorchScript file agrees with the network that it was made from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

from oarflow.networks.card import CARD_NAME, NETWORK_NAME, read_card
from oarflow.training.architectures import build_network
from oarflow.training.architectures.organ_unions import NetworkWithUnions
from oarflow.training.configuration import Configuration
from oarflow.training.export.torchscript import greatest_difference, rounded, torchscript
from tests.oarflow.training.patients import small

MODELS = Path(__file__).resolve().parents[4] / "models"
SHIPPED = sorted(path.parent for path in MODELS.glob(f"*/{NETWORK_NAME}"))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_export_agrees_with_the_network_at_three_sizes(dimensions: int) -> None:
    configuration = small(
        dimensions=dimensions, patch_mm=[96, 96, 96] if dimensions == 3 else [0, 96, 96]
    )
    network = rounded(build_network(configuration).eval())
    file = torchscript(network)
    assert greatest_difference(network, file, configuration) < 1e-4
    with torch.no_grad():
        next(iter(network.parameters())).add_(0.5)
    assert greatest_difference(network, file, configuration) > 1e-3


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_network_is_what_its_card_s_configuration_builds(folder: Path) -> None:
    """The weights of the file in the eager network, at three sizes and batches."""
    card = read_card(folder / CARD_NAME)
    file = (folder / NETWORK_NAME).read_bytes()
    configuration = Configuration.model_validate(card.training.configuration)
    network = build_network(configuration)
    if configuration.unions:
        network = NetworkWithUnions(network, configuration.organs, configuration.unions)
    network.load_state_dict(torch.jit.load(io.BytesIO(file)).state_dict())
    assert greatest_difference(network.eval(), file, configuration) < 1e-4
