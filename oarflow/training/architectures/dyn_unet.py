"""MONAI's DynUNet as nnU-Net plans it: TWOSTEP's and HANSEG's 3-D network."""

from __future__ import annotations

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import Tensor, nn

from oarflow.training.configuration import Configuration


class SupervisedUNet(nn.Module):
    """A DynUNet's parts, run in a plain loop: its own skip layers cannot be scripted.

    While training it gives (n, heads, organs, z, y, x), the heads from fine to coarse, all at full
    extent; otherwise (n, organs, z, y, x).
    """

    def __init__(self, made: DynUNet) -> None:
        super().__init__()
        self.input_block = made.input_block
        self.downsamples = made.downsamples
        self.bottleneck = made.bottleneck
        self.upsamples = made.upsamples
        self.output_block = made.output_block
        self.heads = made.deep_supervision_heads

    def forward(self, image: Tensor) -> Tensor:
        features = self.input_block(image)
        skips = [features]
        for block in self.downsamples:
            features = block(features)
            skips.append(features)
        features = self.bottleneck(features)
        decoded = [features]
        for number, block in enumerate(self.upsamples):
            features = block(features, skips[len(skips) - 1 - number])
            decoded.append(features)
        output = self.output_block(features)
        if not self.training:
            return output  # type: ignore[no-any-return]
        outputs = [output]
        for number, head in enumerate(self.heads):
            coarse = head(decoded[len(decoded) - 2 - number])
            outputs.append(nn.functional.interpolate(coarse, size=output.shape[2:]))
        return torch.stack(outputs, dim=1)


class MirroredSide(nn.Module):
    """A network with a side channel: right sides are mirrored, and their output mirrored back.

    A constant plane beside the CT would tell it next to nothing: instance normalisation takes away
    what is the same in all voxels. Mirrored, both sides look like the left one.
    """

    def __init__(self, network: nn.Module, channel: int) -> None:
        super().__init__()
        self.network = network
        self.channel = channel

    def forward(self, image: Tensor) -> Tensor:
        right = image[:, self.channel, 0, 0, 0] < 0
        images = torch.cat([image[:, : self.channel], image[:, self.channel + 1 :]], dim=1)
        output = self.network(_mirrored(images, right))
        return _mirrored(output, right)


def _mirrored(values: Tensor, which: Tensor) -> Tensor:
    """Those of the batch, mirrored along their last axis, x."""
    return torch.where(which.reshape([-1] + [1] * (values.dim() - 1)), values.flip(-1), values)


def dyn_unet(configuration: Configuration) -> nn.Module:
    """Two convolutions a level, strided ones between, instance norm, leaky ReLU.

    While training, losses weigh each head half as much as the one before (TWOSTEP, equation 1).
    Raises ValueError for a 2-D configuration.
    """
    if configuration.dimensions != 3:
        raise ValueError("dyn_unet is 3-D")
    sided = "side" in configuration.images
    levels = len(configuration.widths)
    strides = [1] + [2] * (levels - 1)
    made = DynUNet(
        spatial_dims=3,
        in_channels=configuration.in_channels - sided,
        out_channels=configuration.out_channels,
        kernel_size=[3] * levels,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=list(configuration.widths),
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        deep_supervision=True,
        deep_supr_num=max(1, levels - 2),
    )
    network = SupervisedUNet(made)
    return MirroredSide(network, configuration.images.index("side")) if sided else network
