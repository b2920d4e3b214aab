"""The papers' networks have the papers' sizes, and their exports do what they did."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from oarflow.training.architectures import build_network
from oarflow.training.architectures.residual_unet import ResidualUNet
from oarflow.training.configuration import Configuration, read_configuration, shipped_configurations
from oarflow.training.export.torchscript import greatest_difference, rounded, torchscript
from tests.oarflow.training.patients import ORGANS, small

COMPACT_ENCODER: dict[str, Any] = {
    "architecture": "encoder_unet",
    "widths": [4, 4, 8, 8, 8],
    "decoder_widths": [8, 8, 4, 4, 4],
    "blocks": [],
}
CLASSIFIERS = {
    # Published counts with a classifier of 1,000 classes on 512 (2,048) channels, taken off again.
    "resnet34": 21_797_672 - 513_000,
    "seresnet34": 21_958_868 - 513_000,
    "resnext50": 25_028_904 - 2_049_000,
}


def parameters(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def without_weights(configuration: Configuration) -> nn.Module:
    with torch.device("meta"):
        return build_network(configuration)


def published(backbone: str) -> Configuration:
    """SLICE's network with the three input channels that published counts are of."""
    return read_configuration(
        "slice_paper/Brainstem", backbone=backbone, offsets_mm=(-3.0, 0.0, 3.0)
    )


@pytest.mark.parametrize("backbone", CLASSIFIERS)
def test_encoders_have_the_published_number_of_parameters(backbone: str) -> None:
    network: Any = without_weights(published(backbone))
    assert parameters(network.stem, network.stages) == CLASSIFIERS[backbone]


def test_slices_decoder_is_the_segmentation_models_one() -> None:
    assert parameters(without_weights(published("resnet34"))) == 24_436_369


@pytest.mark.parametrize(("name", "millions"), [("resu", 26.0), ("resu_m", 13.4)])
def test_resu_has_the_papers_number_of_parameters(name: str, millions: float) -> None:
    assert parameters(without_weights(read_configuration(name))) / 1e6 == pytest.approx(
        millions, abs=0.05
    )


@pytest.mark.parametrize("backbone", CLASSIFIERS)
def test_an_encoder_unet_keeps_the_extent_and_its_export_agrees(backbone: str) -> None:
    configuration = small(backbone=backbone, **COMPACT_ENCODER)
    network = rounded(build_network(configuration).eval())
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 1, 64, 96)
    assert greatest_difference(network, torchscript(network), configuration) < 1e-4


@pytest.mark.parametrize("units", [0, 2])
def test_a_multi_class_unet_has_a_channel_for_what_is_no_organ(units: int) -> None:
    configuration = small(
        architecture="unet",
        organs=list(ORGANS),
        activation="softmax",
        losses={"dice": 1},
        residual_units=units,
        normalize=True,
        blocks=[],
    )
    network = rounded(build_network(configuration).eval())
    with torch.inference_mode():
        image = torch.rand(1, 3, 32, 32)
        assert network(image).shape == (1, 3, 32, 32)
        torch.testing.assert_close(network(image), network(image * 7 + 3), rtol=1e-3, atol=1e-3)
    assert greatest_difference(network, torchscript(network), configuration) < 1e-4


def test_dropout_acts_in_training_only() -> None:
    configuration = small(
        backbone="resnet34", encoder_dropout=0.5, decoder_dropout=0.2, **COMPACT_ENCODER
    )
    network = build_network(configuration)
    rates = sorted({module.p for module in network.modules() if isinstance(module, nn.Dropout)})
    assert rates == [0.2, 0.5]
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.equal(network(image), network(image))
        network.eval()
        assert torch.equal(network(image), network(image))


def test_all_that_is_shipped_can_be_built() -> None:
    for name, about, organs in shipped_configurations():
        configuration = read_configuration(f"{name}/{organs[0]}" if organs else name)
        assert parameters(without_weights(configuration)) > 100_000
        assert len(about) > 20


def test_the_papers_table_chooses_backbone_and_patch() -> None:
    nerve = read_configuration("slice_paper/OpticNrv_L")
    assert (nerve.backbone, nerve.patch_voxels) == ("resnext50", (1, 128, 128))
    whole = read_configuration("slice_paper_full/OpticNrv_L")
    assert (whole.backbone, whole.patch_voxels) == ("resnext50", (1, 512, 512))
    dropped = read_configuration("slice_paper_dropout/OpticNrv_L")
    assert (dropped.backbone, dropped.epochs) == ("resnet34", 300)


def test_epochs_become_steps() -> None:
    configuration = read_configuration("slice_paper/Larynx")
    assert configuration.lasting(33).steps == 50 * 3
    assert read_configuration("slice_paper/Larynx", steps=7).lasting(33).steps == 7
    often = read_configuration("resu").lasting(33)
    assert (often.batch, often.steps, often.validate_every) == (16, 200 * 3, 3)
    assert read_configuration("resu", steps=7).lasting(33).validate_every == 3


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(ValueError, match="no architecture 'vgg'; there are: "):
        build_network(small(architecture="vgg"))


def test_widths_and_blocks_must_match() -> None:
    with pytest.raises(ValueError, match="each resolution"):
        ResidualUNet(2, 1, 1, (4, 8), (1,))
