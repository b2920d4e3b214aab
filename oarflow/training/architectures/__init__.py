"""The networks that can be trained, by the name a configuration calls them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from oarflow.training.architectures.dyn_unet import dyn_unet
from oarflow.training.architectures.encoder_unet import encoder_unet
from oarflow.training.architectures.residual_unet import ResidualUNet
from oarflow.training.architectures.se_unet import se_unet
from oarflow.training.architectures.unet import unet
from oarflow.training.configuration import Configuration

__all__ = ["ARCHITECTURES", "Builder", "ResidualUNet", "build_network", "describe"]

Builder = Callable[[Configuration], nn.Module]


def _residual_unet(configuration: Configuration) -> nn.Module:
    return ResidualUNet(
        configuration.dimensions,
        configuration.in_channels,
        configuration.out_channels,
        configuration.widths,
        configuration.blocks,
    )


ARCHITECTURES: dict[str, tuple[Builder, str]] = {
    "residual_unet": (_residual_unet, "residual U-Net"),
    "encoder_unet": (encoder_unet, "U-Net with a classification network as its encoder"),
    "unet": (unet, "U-Net"),
    "se_unet": (se_unet, "U-Net with squeeze and excitation"),
    "dyn_unet": (dyn_unet, "nnU-Net's U-Net, instance norm, deep supervision"),
}
"""What builds each network, and its name on a card."""


def build_network(configuration: Configuration) -> nn.Module:
    """The configuration's network, seeded. Raises ValueError for an unknown architecture."""
    if configuration.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ValueError(f"no architecture {configuration.architecture!r}; there are: {known}")
    torch.manual_seed(configuration.seed)
    return ARCHITECTURES[configuration.architecture][0](configuration)


def describe(configuration: Configuration) -> str:
    """One line about the network for its card."""
    parts = [ARCHITECTURES[configuration.architecture][1]]
    if configuration.backbone is not None:
        parts.append(configuration.backbone)
    parts.append(f"widths {list(configuration.widths)}")
    if configuration.blocks:
        parts.append(f"blocks {list(configuration.blocks)}")
    if configuration.architecture == "unet":
        parts.append(f"{configuration.residual_units} convolutions in a residual unit")
    return ", ".join(parts)
