"""The two U-Nets that nnU-Net trains, built from checked numbers alone.

Parameters have the names that nnU-Net's checkpoints use, so that `load_state_dict` checks every
one. docs/explanation/decisions says why these classes are not taken from a library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import nn

Sizes = tuple[int, ...]
"""One whole number for each axis."""

Layer = Callable[..., nn.Module]


@dataclass(frozen=True)
class Architecture:
    """All numbers of a U-Net.

    kind: whose encoder it has. features, kernels, strides, blocks: of each stage of the encoder,
    the finest first. decoder: convolutions of each stage of the decoder, the coarsest first.
    bias: whether the convolutions have one. epsilon, affine: of the instance normalization.
    slope: of the leaky ReLU below zero.
    """

    kind: Literal["PlainConvUNet", "ResidualEncoderUNet"]
    dimensions: Literal[2, 3]
    features: Sizes
    kernels: tuple[Sizes, ...]
    strides: tuple[Sizes, ...]
    blocks: Sizes
    decoder: Sizes
    bias: bool
    epsilon: float = 1e-5
    affine: bool = True
    slope: float = 0.01

    @property
    def words(self) -> str:
        """The architecture on a card."""
        features = "-".join(map(str, self.features))
        return f"nnU-Net {self.kind}, {self.dimensions}-D, features {features}"


def build(architecture: Architecture, heads: int) -> nn.Module:
    """The network for inference, with one input channel and `heads` output channels.

    Weights are those of torch's initialization.
    """
    parts = _Parts(architecture)
    return NnUNet(Encoder(parts), Decoder(parts, heads)).eval()


class _Parts:
    """Makes the layers of an architecture in its number of dimensions."""

    def __init__(self, architecture: Architecture) -> None:
        self.of = architecture
        flat = architecture.dimensions == 2
        self._convolution: Layer = nn.Conv2d if flat else nn.Conv3d
        self._transposed: Layer = nn.ConvTranspose2d if flat else nn.ConvTranspose3d
        self._norm: Layer = nn.InstanceNorm2d if flat else nn.InstanceNorm3d
        self._pool: Layer = nn.AvgPool2d if flat else nn.AvgPool3d
        self.ones = (1,) * architecture.dimensions

    def convolution(
        self, before: int, after: int, kernel: Sizes, stride: Sizes, bias: bool
    ) -> nn.Module:
        padding = tuple((size - 1) // 2 for size in kernel)
        return self._convolution(before, after, kernel, stride, padding, bias=bias)

    def transposed(self, before: int, after: int, stride: Sizes) -> nn.Module:
        return self._transposed(before, after, stride, stride, bias=self.of.bias)

    def norm(self, features: int) -> nn.Module:
        return self._norm(features, eps=self.of.epsilon, affine=self.of.affine)

    def pool(self, stride: Sizes) -> nn.Module:
        return self._pool(stride, stride)

    def activation(self) -> nn.Module:
        return nn.LeakyReLU(self.of.slope, inplace=True)


class ConvolutionBlock(nn.Module):
    """Convolution, instance normalization and, unless `linear`, leaky ReLU."""

    def __init__(
        self,
        parts: _Parts,
        before: int,
        after: int,
        kernel: Sizes,
        stride: Sizes,
        *,
        bias: bool | None = None,
        linear: bool = False,
    ) -> None:
        super().__init__()
        with_bias = parts.of.bias if bias is None else bias
        self.conv = parts.convolution(before, after, kernel, stride, with_bias)
        self.norm = parts.norm(after)
        self.nonlin = nn.Identity() if linear else parts.activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.nonlin(self.norm(self.conv(x))))


def _row(
    block: type[ConvolutionBlock | ResidualBlock],
    parts: _Parts,
    count: int,
    before: int,
    after: int,
    *,
    kernel: Sizes,
    stride: Sizes,
) -> nn.Sequential:
    """Blocks of one kind in a row; the first one has the stride."""
    first = block(parts, before, after, kernel, stride)
    rest = (block(parts, after, after, kernel, parts.ones) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


class ConvolutionStack(nn.Module):
    """Convolution blocks in a row; the first one has the stride."""

    def __init__(
        self, parts: _Parts, count: int, before: int, after: int, *, kernel: Sizes, stride: Sizes
    ) -> None:
        super().__init__()
        self.convs = _row(
            ConvolutionBlock, parts, count, before, after, kernel=kernel, stride=stride
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.convs(x))


class ResidualBlock(nn.Module):
    """Two convolution blocks beside a shortcut of average pooling and projection (ResNet-D)."""

    def __init__(
        self, parts: _Parts, before: int, after: int, kernel: Sizes, stride: Sizes
    ) -> None:
        super().__init__()
        self.conv1 = ConvolutionBlock(parts, before, after, kernel, stride)
        self.conv2 = ConvolutionBlock(parts, after, after, kernel, parts.ones, linear=True)
        self.nonlin2 = parts.activation()
        shortcut: list[nn.Module] = []
        if any(step != 1 for step in stride):
            shortcut.append(parts.pool(stride))
        if before != after:
            ones = parts.ones
            shortcut.append(
                ConvolutionBlock(parts, before, after, ones, ones, bias=False, linear=True)
            )
        self.skip = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.skip(x)
        out = self.conv2(self.conv1(x))
        out += residual
        return cast(torch.Tensor, self.nonlin2(out))


class ResidualStage(nn.Module):
    """Residual blocks in a row; the first one has the stride."""

    def __init__(
        self, parts: _Parts, count: int, before: int, after: int, *, kernel: Sizes, stride: Sizes
    ) -> None:
        super().__init__()
        self.blocks = _row(ResidualBlock, parts, count, before, after, kernel=kernel, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.blocks(x))


class Encoder(nn.Module):
    """Stages at falling resolution: stacks of convolutions, or a convolution and residual stages.

    Checkpoints hold each stack within a sequence of its own.
    """

    def __init__(self, parts: _Parts) -> None:
        super().__init__()
        of, before = parts.of, 1
        residual = of.kind == "ResidualEncoderUNet"
        self.stem: nn.Module = nn.Identity()
        if residual:
            after, kernel = of.features[0], of.kernels[0]
            self.stem = ConvolutionStack(parts, 1, before, after, kernel=kernel, stride=parts.ones)
            before = after
        stages: list[nn.Module] = []
        for after, kernel, stride, count in zip(
            of.features, of.kernels, of.strides, of.blocks, strict=True
        ):
            kind = ResidualStage if residual else ConvolutionStack
            stage = kind(parts, count, before, after, kernel=kernel, stride=stride)
            stages.append(stage if residual else nn.Sequential(stage))
            before = after
        self.stages = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """Doubles the resolution stage by stage and joins the encoder's features.

    Every stage has an output layer because checkpoints hold them; inference uses the last.
    """

    def __init__(self, parts: _Parts, heads: int) -> None:
        super().__init__()
        of = parts.of
        stages, upward, outputs = [], [], []
        for stage in range(1, len(of.features)):
            below, after = of.features[-stage], of.features[-stage - 1]
            kernel = of.kernels[-stage - 1]
            upward.append(parts.transposed(below, after, of.strides[-stage]))
            stages.append(
                ConvolutionStack(
                    parts, of.decoder[stage - 1], 2 * after, after, kernel=kernel, stride=parts.ones
                )
            )
            outputs.append(parts.convolution(after, heads, parts.ones, parts.ones, True))
        self.stages = nn.ModuleList(stages)
        self.transpconvs = nn.ModuleList(upward)
        self.seg_layers = nn.ModuleList(outputs)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        x = features[-1]
        for number, (up, stage) in enumerate(zip(self.transpconvs, self.stages, strict=True)):
            x = stage(torch.cat((up(x), features[-number - 2]), 1))
        return cast(torch.Tensor, self.seg_layers[-1](x))


class NnUNet(nn.Module):
    """(1, heads, ...) logits of an image (1, 1, ...)."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.decoder(self.encoder(x)))
