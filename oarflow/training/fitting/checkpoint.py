"""Reading checkpoints, and loading their weights."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oarflow.errors import ConfigurationError
from oarflow.training.configuration import Configuration
from oarflow.training.fitting.record import OTHER_TRAINING

CHECKPOINT_NAME = "checkpoint.pt"

DAMAGED = (
    *(pickle.UnpicklingError, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
)
"""What reading a file raises that is no whole checkpoint."""


def read_checkpoint(folder: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A folder's checkpoint.

    Raises FileNotFoundError where there is none, ValueError where it is damaged.
    """
    path = folder / CHECKPOINT_NAME
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint in {folder}: fit the network first")
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        complete = {"network", "average", "optimizer", "step", "seconds"} <= set(saved)
    except PermissionError:
        raise
    except DAMAGED:
        complete = False
    if not complete:
        raise ValueError(
            f"{path} is damaged or no checkpoint: put a copy back, or remove it and fit afresh"
        )
    return dict(saved)


def averaged_weights(saved: dict[str, Any], *, best: bool = False) -> dict[str, Any]:
    """The averaged network's weights in a checkpoint; best: those that validated best, if any."""
    prefix = "module."
    kept = (saved.get("best") if best else None) or saved["average"]
    return {
        key.removeprefix(prefix): value for key, value in kept.items() if key.startswith(prefix)
    }


def load_weights(module: nn.Module, weights: dict[str, Any], configuration: Configuration) -> None:
    """Weights into a network. Raises ConfigurationError where they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigurationError(
            OTHER_TRAINING,
            f"the checkpoint holds another network than {configuration.name} as it is configured:"
            " give the configuration, with the same --set, that it was fitted with",
        ) from error


def repeated_outputs(weights: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """The weights of a network of one organ, repeated for each organ of a network of several."""
    shapes = {name: value.shape for name, value in module.state_dict().items()}

    def fitted(name: str, value: Any) -> Any:
        wanted = shapes.get(name, value.shape)
        one = value.ndim > 0 and len(value) == 1 and value.shape[1:] == wanted[1:]
        return value.expand(wanted).clone() if one else value

    return {name: fitted(name, value) for name, value in weights.items()}
