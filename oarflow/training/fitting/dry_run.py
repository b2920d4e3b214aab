"""Whether a configuration's network can be built and run, found out before any patient is read."""

from __future__ import annotations

import torch

from oarflow.training.architectures import build_network
from oarflow.training.configuration import Configuration


def require_trainable(configuration: Configuration) -> None:
    """Pass one batch of the samples' shape through the network, without memory or arithmetic.

    Raises ValueError where the measures of the network do not fit each other or the patch.
    """
    with torch.device("meta"):
        try:
            network = build_network(configuration).train()
        except (RuntimeError, IndexError, ArithmeticError) as error:
            raise ValueError(
                f"{_description(configuration)} cannot be built: {_one_line(error)}"
            ) from error
        images = torch.empty(configuration.batch, configuration.in_channels, *_patch(configuration))
        try:
            network(images)
        except (RuntimeError, ValueError) as error:
            size = " x ".join(map(str, _patch(configuration)))
            multiple = configuration.multiple
            raise ValueError(
                f"{_description(configuration)} cannot be trained on patches of {size} voxels:"
                f" patch_mm / spacing_mm must give a multiple of {multiple} along each axis"
                f" ({_one_line(error)})"
            ) from error


def _description(configuration: Configuration) -> str:
    widths = list(configuration.widths)
    return f"{configuration.name}: {configuration.architecture} with widths {widths}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _patch(configuration: Configuration) -> tuple[int, ...]:
    """Voxels of a sample along the axes that the network sees."""
    voxels = configuration.patch_voxels
    if configuration.dimensions == 3:
        return voxels
    across = {"axial": 0, "coronal": 1, "sagittal": 2}[configuration.view]
    return tuple(count for axis, count in enumerate(voxels) if axis != across)
