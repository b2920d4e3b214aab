"""MONAI's U-Net, plain or with residual units (RESU, section 4.2.3).

RESU's residual units are those of Kerfoot et al., which are MONAI's: with two convolutions in each
the network has the 26 million parameters of its Model L, with one the 13.5 of Model M.
"""

from __future__ import annotations

from monai.networks.nets.unet import UNet
from torch import nn

from oarflow.training.configuration import Configuration


def unet(configuration: Configuration) -> nn.Module:
    """The configuration's UNet; residual_units 0 is the plain one of the ablation.

    Input (n, channels, ...) and output (n, organs, ...), logits, share their extent, a multiple of
    2 ** (len(widths) - 1).
    """
    network = UNet(
        configuration.dimensions,
        configuration.in_channels,
        configuration.out_channels,
        configuration.widths,
        (2,) * (len(configuration.widths) - 1),
        num_res_units=configuration.residual_units,
        norm="batch",
    )
    return _Normalized(network, configuration.in_channels) if configuration.normalize else network


class _Normalized(nn.Sequential):
    """Zero mean and unit spread of every slice before the network, so that serving does it too."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__(nn.InstanceNorm2d(channels), network)
