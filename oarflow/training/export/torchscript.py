"""Networks as TorchScript in half precision, compared with the network they were made from."""

from __future__ import annotations

import copy
import io
import warnings

import torch
from torch import Tensor, nn

from oarflow.networks.backend import load_network
from oarflow.training.configuration import Configuration


def rounded(network: nn.Module) -> nn.Module:
    """The network with its weights rounded to half precision, which halves the file."""
    return network.half().float().eval()


def torchscript(network: nn.Module) -> bytes:
    """The network as a TorchScript file, its weights stored in half precision."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.script(copy.deepcopy(network))
        torch.jit.save(module.half(), buffer)
    return buffer.getvalue()


def greatest_difference(network: nn.Module, file: bytes, configuration: Configuration) -> float:
    """Greatest difference in logits, file against network, over three sizes and batches."""
    module = load_network(file, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    multiple = max(16, configuration.multiple)
    for count, batch in ((2, 1), (3, 3), (4, 2)):
        shape = (
            batch,
            configuration.in_channels,
            *[count * multiple] * configuration.dimensions,
        )
        image: Tensor = torch.randn(shape, generator=generator)
        with torch.inference_mode():
            difference = (network(image) - module(image)).abs().max()
        worst = max(worst, float(difference))
    return worst
