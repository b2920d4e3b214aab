"""U-Net with squeeze and excitation after every block: C2F's networks (III.A and III.B)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks.convolutions import Convolution
from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer
from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

from oarflow.training.configuration import Configuration

SQUEEZE = 4
"""Ratio between a block's channels and those of its squeezed layer."""


class SqueezedUNet(nn.Module):
    """One level a width, a pooling between two of them: four widths are the paper's three poolings.

    Input (n, channels, ...) and output (n, organs, ...), logits, share their extent, a multiple of
    2 ** (levels - 1).
    """

    def __init__(
        self, dimensions: int, in_channels: int, out_channels: int, widths: Sequence[int]
    ) -> None:
        super().__init__()
        encoder, previous = [], in_channels
        for width in widths:
            encoder.append(_block(dimensions, previous, width))
            previous = width
        self.encoder = nn.ModuleList(encoder)
        self.pool = Pool[Pool.MAX, dimensions](2)
        enlarge, decoder = [], []
        for width in reversed(widths[:-1]):
            enlarge.append(Conv[Conv.CONVTRANS, dimensions](previous, width, 2, stride=2))
            decoder.append(_block(dimensions, 2 * width, width))
            previous = width
        self.enlarge = nn.ModuleList(enlarge)
        self.decoder = nn.ModuleList(decoder)
        self.head = Conv[Conv.CONV, dimensions](previous, out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        features, skips = image, [image]
        for number, block in enumerate(self.encoder):
            if number > 0:
                features = self.pool(features)
            features = block(features)
            skips.append(features)
        last = len(skips) - 2
        # TorchScript's zip has no `strict`.
        for number, (enlarge, block) in enumerate(zip(self.enlarge, self.decoder)):  # noqa: B905
            features = block(torch.cat((enlarge(features), skips[last - number]), dim=1))
        return self.head(features)  # type: ignore[no-any-return]


def _block(dimensions: int, inside: int, width: int) -> nn.Module:
    return nn.Sequential(
        _convolution(dimensions, inside, width),
        _convolution(dimensions, width, width),
        ChannelSELayer(dimensions, width, r=min(SQUEEZE, width)),
    )


def _convolution(dimensions: int, inside: int, width: int) -> nn.Module:
    return Convolution(dimensions, inside, width, adn_ordering="NA", act="relu", norm="batch")


def se_unet(configuration: Configuration) -> nn.Module:
    """The configuration's SqueezedUNet."""
    return SqueezedUNet(
        configuration.dimensions,
        configuration.in_channels,
        configuration.out_channels,
        configuration.widths,
    )
