"""The optimisers that a configuration can name."""

from __future__ import annotations

import torch
from torch import nn

from oarflow.training.configuration import Configuration

MOMENTUM = 0.99
"""Of SGD with Nesterov's momentum, as nnU-Net has it."""


def optimizer(network: nn.Module, configuration: Configuration) -> torch.optim.Optimizer:
    """The configuration's optimiser over all parameters."""
    rate, decay = configuration.learning_rate, configuration.weight_decay
    parameters = network.parameters()
    match configuration.optimizer:
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(
                parameters, lr=rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay
            )
