"""U-Net on ResNet34, SE-ResNet34 or ResNeXt50 (SLICE, section 2), full width or compact.

The layout is the segmentation-models package's, which SLICE used: a stem that halves the image, a
pooling, four stages, and five decoder blocks of two convolutions after nearest-neighbour
enlargement. The residual blocks are MONAI's; its FlexibleUNet has no SE-ResNet34 and no ResNeXt50,
no compact widths, and its ResNet34 cannot be scripted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.networks.blocks.convolutions import Convolution
from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer
from monai.networks.nets.resnet import ResNetBlock, ResNetBottleneck
from torch import Tensor, nn

from oarflow.training.configuration import Configuration

SQUEEZE = 16
"""SE-ResNet's ratio between a block's channels and those of its squeezed layer."""

CARDINALITY = 32
"""Groups of ResNeXt50's 3x3 convolutions."""


@dataclass(frozen=True)
class Backbone:
    """blocks: residual blocks a stage. expansion: a stage's output channels per width."""

    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    expansion: int = 1
    squeezed: bool = False


BACKBONES = {
    "resnet34": Backbone(),
    "seresnet34": Backbone(squeezed=True),
    "resnext50": Backbone(expansion=4),
}


class _GroupedBottleneck(ResNetBottleneck):
    """ResNeXt's block of the 32x4d kind: twice the stage's width inside, four times outside."""

    expansion = 2

    def __init__(self, in_planes: int, width: int, stride: int, shortcut: nn.Module | None) -> None:
        inner = 2 * width
        super().__init__(in_planes, inner, 2, stride, shortcut)
        groups = min(CARDINALITY, inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)


class EncoderUNet(nn.Module):
    """U-Net with a classification network's encoder.

    widths: of the stem and the four stages (64, 64, 128, 256, 512 at full width).
    decoder_widths: of the five decoder blocks, deepest first (256, 128, 64, 32, 16).
    Input (n, channels, y, x) and output (n, organs, y, x), logits, share their extent, a multiple
    of 32.
    """

    def __init__(
        self,
        backbone: Backbone,
        in_channels: int,
        out_channels: int,
        *,
        widths: Sequence[int],
        decoder_widths: Sequence[int],
        encoder_dropout: float = 0.0,
        decoder_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(widths) != 5 or len(decoder_widths) != 5:
            raise ValueError("a stem, four stages and five decoder blocks need a width each")
        self.stem = Convolution(
            2, in_channels, widths[0], 2, 7, adn_ordering="NA", act="relu", norm="batch", bias=False
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, skips, previous = [], [widths[0]], widths[0]
        for number, width in enumerate(widths[1:]):
            stages.append(_stage(backbone, number, previous, width, encoder_dropout))
            previous = width * backbone.expansion
            skips.append(previous)
        self.stages = nn.ModuleList(stages)
        decoder = []
        for skip, width in zip([*reversed(skips[:-1]), 0], decoder_widths, strict=True):
            decoder.append(
                nn.Sequential(
                    _convolution(previous + skip, width, decoder_dropout),
                    _convolution(width, width, decoder_dropout),
                )
            )
            previous = width
        self.decoder = nn.ModuleList(decoder)
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(previous, out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        skips = [features]
        features = self.pool(features)
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        skips = skips[:-1]
        skips.reverse()
        for number, block in enumerate(self.decoder):
            features = self.enlarge(features)
            if number < len(skips):
                features = torch.cat((features, skips[number]), dim=1)
            features = block(features)
        return self.head(features)  # type: ignore[no-any-return]


def encoder_unet(configuration: Configuration) -> nn.Module:
    """The configuration's EncoderUNet. Raises ValueError for a 3-D one or without a backbone."""
    if configuration.dimensions != 2 or configuration.backbone is None:
        raise ValueError("encoder_unet is 2-D and needs a backbone")
    return EncoderUNet(
        BACKBONES[configuration.backbone],
        configuration.in_channels,
        configuration.out_channels,
        widths=configuration.widths,
        decoder_widths=configuration.decoder_widths,
        encoder_dropout=configuration.encoder_dropout,
        decoder_dropout=configuration.decoder_dropout,
    )


def _convolution(in_channels: int, out_channels: int, dropout: float) -> nn.Module:
    return Convolution(
        2,
        in_channels,
        out_channels,
        norm="batch",
        act="relu",
        adn_ordering="NAD",
        dropout=dropout or None,
        bias=False,
    )


def _stage(
    backbone: Backbone, number: int, in_planes: int, width: int, dropout: float
) -> nn.Sequential:
    """Stage 0 keeps the extent, the others halve it."""
    blocks = []
    for index in range(backbone.blocks[number]):
        stride = 2 if index == 0 and number > 0 else 1
        block = _block(backbone, in_planes, width, stride)
        if dropout:
            block.act = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(dropout))
        blocks.append(block)
        in_planes = width * backbone.expansion
    return nn.Sequential(*blocks)


def _block(backbone: Backbone, in_planes: int, width: int, stride: int) -> nn.Module:
    out_planes = width * backbone.expansion
    shortcut: nn.Module | None = None
    if stride != 1 or in_planes != out_planes:
        shortcut = nn.Sequential(
            nn.Conv2d(in_planes, out_planes, 1, stride, bias=False), nn.BatchNorm2d(out_planes)
        )
    if backbone.expansion > 1:
        return _GroupedBottleneck(in_planes, width, stride, shortcut)
    block = ResNetBlock(in_planes, width, 2, stride, shortcut)
    if backbone.squeezed:
        squeeze = ChannelSELayer(2, width, r=min(SQUEEZE, width))
        block.bn2 = nn.Sequential(block.bn2, squeeze)
    return block
