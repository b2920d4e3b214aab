"""How a network's weights and features lie in memory while it is trained."""

from __future__ import annotations

import torch
from torch import nn

UNSAFE_BELOW = 16
"""oneDNN 3.12 (torch 2.13) writes past its buffer in the weight gradient of a strided 1x1
convolution, channels last, of fewer input channels than this: the process crashes."""


def memory_format(network: nn.Module, dimensions: int, device: torch.device) -> torch.memory_format:
    """Channels last for 2-D networks, which trains them faster, where it is safe.

    dimensions: of the network's input, 2 or 3.
    """
    if dimensions != 2:
        return torch.preserve_format
    unsafe = device.type == "cpu" and any(map(_is_unsafe, network.modules()))
    return torch.contiguous_format if unsafe else torch.channels_last


def _is_unsafe(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < UNSAFE_BELOW
    )
