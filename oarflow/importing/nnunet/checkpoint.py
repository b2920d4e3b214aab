"""checkpoint_final.pth, read without running anything that is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.nnunet.unet import Architecture, build
from oarflow.importing.numbers import part, sizes, text
from oarflow.importing.torch_files import read_torch_file

RESAVE = "save the checkpoint again with nnU-Net 2.8, without objects of your own in it"

_SCALAR: Any = np.float32(0).__reduce__()[0]
_ALLOWED: list[Any] = [
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "?")),
]
"""What honest checkpoints hold beyond torch's own list: numbers of the training's log, written by
numpy 2 or 1."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The four facts of a checkpoint that inference needs.

    mirror_axes: along which the trainer allows mirroring, by the network's axes.
    """

    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]
    weights: Mapping[str, torch.Tensor]


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint. Raises NotImportedError, OSError."""
    saved = read_torch_file(path, RESAVE, _ALLOWED)
    saved = part(path.name, saved, dict)
    weights = part("network_weights", saved.get("network_weights"), dict)
    arguments = part("init_args", saved.get("init_args"), dict)
    axes = saved.get("inference_allowed_mirroring_axes")
    return Checkpoint(
        configuration=text("init_args.configuration", arguments.get("configuration")),
        trainer=text("trainer_name", saved.get("trainer_name", "")),
        mirror_axes=() if not axes else _axes(axes),
        weights=_single(weights),
    )


def load_network(checkpoint: Checkpoint, architecture: Architecture, heads: int) -> torch.nn.Module:
    """The network with the checkpoint's weights, in single precision.

    Names and shapes are compared before anything is allocated. Raises NotImportedError.
    """
    with torch.device("meta"):
        network = build(architecture, heads)
    needed = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in checkpoint.weights.items()}
    if needed != found:
        name = min(set(needed.items()) ^ set(found.items()))[0]
        raise NotImportedError(
            f"the checkpoint does not fit the plans at {shown(name)}: the trainer"
            f" {checkpoint.trainer} changed the network, which OARflow cannot follow"
        )
    weights = {name: value.float().contiguous() for name, value in checkpoint.weights.items()}
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise NotImportedError("the checkpoint has weights that are not finite: train again")
    network.load_state_dict(weights, strict=True, assign=True)
    return network.eval()


def _axes(value: Any) -> tuple[int, ...]:
    listed = list(value) if isinstance(value, tuple) else value
    return sizes("inference_allowed_mirroring_axes", listed, least=0, most=2)


def _single(weights: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    """Each tensor once: nnU-Net's checkpoints name most of them two or three times."""
    kept: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise NotImportedError("network_weights holds other things than tensors")
        if not value.is_floating_point() or value.layout != torch.strided:
            raise NotImportedError(f"{shown(name)} is no tensor of floating-point numbers")
        bare = name.removeprefix("module.")
        if bare.startswith("decoder.encoder."):
            continue
        bare = bare.replace(".all_modules.0.", ".conv.").replace(".all_modules.1.", ".norm.")
        if bare in kept and not _same(kept[bare], value):
            raise NotImportedError(f"{shown(name)} has two values: the checkpoint is damaged")
        kept[bare] = value
    return kept


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have the same numbers, bit for bit where they share their memory."""
    if one.shape != other.shape:
        return False
    return one.data_ptr() == other.data_ptr() or torch.equal(one, other)
