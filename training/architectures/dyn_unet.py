"""MONAI's DynUNet as nnU-Net plans it: TWOSTEP's and HANSEG's 3-D network."""

from __future__ import annotations

from monai.networks.nets.dynunet import DynUNet
from torch import nn

from training.configuration import Configuration


def dyn_unet(configuration: Configuration) -> nn.Module:
    """Two convolutions a level, strided ones between, instance norm, leaky ReLU.

    While training it gives (n, heads, organs, ...), the heads from fine to coarse at full extent:
    losses weigh each half as much as the one before (TWOSTEP, equation 1). Otherwise (n, organs,
    ...). Raises ValueError for a 2-D configuration.
    """
    if configuration.dimensions != 3:
        raise ValueError("dyn_unet is 3-D")
    levels = len(configuration.widths)
    strides = [1] + [2] * (levels - 1)
    return DynUNet(
        spatial_dims=3,
        in_channels=configuration.in_channels,
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
