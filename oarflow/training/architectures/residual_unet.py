"""Networks: U-Nets with a ResNet encoder (SLICE, section 2), in two and three dimensions.

MONAI's FlexibleUNet has such encoders at their stock widths only; compact ones are assembled here
from MONAI's blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks.convolutions import Convolution
from monai.networks.nets.resnet import ResNetBlock
from torch import Tensor, nn


class ResidualUNet(nn.Module):
    """U-Net whose encoder is a ResNet of basic blocks.

    widths: channels at each resolution, the first at full resolution; each further one halves it.
    blocks: residual blocks at each resolution.
    Input (n, channels, ...) and output (n, organs, ...) share their extent, a multiple of
    2 ** (len(widths) - 1) along each axis; the output is logits.
    """

    def __init__(
        self,
        dimensions: int,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks):
            raise ValueError("each resolution needs a width and a number of blocks")
        self.stem = _convolution(dimensions, in_channels, widths[0])
        stages = []
        previous = widths[0]
        for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stages.append(_stage(dimensions, previous, width, count, stride=1 if level == 0 else 2))
            previous = width
        self.encoder = nn.ModuleList(stages)
        decoder = []
        for width in reversed(widths[:-1]):
            decoder.append(
                nn.Sequential(
                    _convolution(dimensions, previous + width, width),
                    _convolution(dimensions, width, width),
                )
            )
            previous = width
        self.decoder = nn.ModuleList(decoder)
        mode = "bilinear" if dimensions == 2 else "trilinear"
        self.enlarge = nn.Upsample(scale_factor=2, mode=mode, align_corners=False)
        self.head = Convolution(dimensions, previous, out_channels, kernel_size=1, conv_only=True)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        skips = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips = skips[:-1]
        skips.reverse()
        for number, block in enumerate(self.decoder):
            features = block(torch.cat((self.enlarge(features), skips[number]), dim=1))
        return self.head(features)  # type: ignore[no-any-return]


def _convolution(dimensions: int, in_channels: int, out_channels: int) -> nn.Module:
    return Convolution(
        dimensions,
        in_channels,
        out_channels,
        norm="batch",
        act="relu",
        adn_ordering="NA",
        bias=False,
    )


def _stage(dimensions: int, in_planes: int, planes: int, count: int, stride: int) -> nn.Sequential:
    shortcut: nn.Module | None = None
    if stride != 1 or in_planes != planes:
        shortcut = Convolution(
            dimensions,
            in_planes,
            planes,
            strides=stride,
            kernel_size=1,
            norm="batch",
            act=None,
            adn_ordering="N",
            bias=False,
        )
    first = ResNetBlock(in_planes, planes, dimensions, stride=stride, downsample=shortcut)
    rest = [ResNetBlock(planes, planes, dimensions) for _ in range(count - 1)]
    return nn.Sequential(first, *rest)
