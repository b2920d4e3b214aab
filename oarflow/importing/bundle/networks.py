"""Networks of MONAI by an explicit list of classes and arguments, with a bundle's weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from oarflow.importing.bundle.arguments import (
    REMEDY,
    Check,
    flag,
    layer,
    order,
    share,
    size,
    sizes,
    upsampling,
)
from oarflow.importing.bundle.configuration import Component, Configuration
from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import part, whole
from oarflow.importing.torch_files import read_torch_file

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES = ("network_def", "network")
RESAVE = "save the network's state_dict alone with torch.save"
WITHIN = ("model", "state_dict")
"""Keys below which a checkpoint may hold the weights."""

_ALL: dict[str, Check] = {"spatial_dims": size, "in_channels": size, "out_channels": size}

ARGUMENTS: Mapping[str, Mapping[str, Check]] = {
    "UNet": _ALL
    | {
        "channels": sizes,
        "strides": sizes,
        "kernel_size": sizes,
        "up_kernel_size": sizes,
        "num_res_units": size,
        "act": layer,
        "norm": layer,
        "dropout": share,
        "bias": flag,
        "adn_ordering": order,
    },
    "BasicUNet": _ALL
    | {
        "features": sizes,
        "act": layer,
        "norm": layer,
        "bias": flag,
        "dropout": share,
        "upsample": upsampling,
    },
    "DynUNet": _ALL
    | {
        "kernel_size": sizes,
        "strides": sizes,
        "upsample_kernel_size": sizes,
        "filters": sizes,
        "dropout": share,
        "norm_name": layer,
        "act_name": layer,
        "deep_supervision": flag,
        "deep_supr_num": size,
        "res_block": flag,
        "trans_bias": flag,
    },
    "SegResNet": _ALL
    | {
        "init_filters": size,
        "dropout_prob": share,
        "act": layer,
        "norm": layer,
        "num_groups": size,
        "use_conv_final": flag,
        "blocks_down": sizes,
        "blocks_up": sizes,
        "upsample_mode": upsampling,
    },
}
"""The classes and arguments that a configuration may name. Other classes come as TorchScript."""


def network_with_weights(configuration: Configuration, weights: Path) -> torch.nn.Module:
    """The network of a configuration with the weights of a file, in single precision.

    Raises NotImportedError, OSError.
    """
    stated = _stated(configuration)
    arguments = _checked(stated)
    state = _state(weights)
    with torch.device("meta"):
        network = _built(stated, arguments)
    return with_state(network, state, stated.place)


def with_state(
    network: torch.nn.Module, state: Mapping[str, torch.Tensor], place: str
) -> torch.nn.Module:
    """A network without weights, on torch's device "meta", with these weights.

    Names and shapes are compared before anything is allocated. Raises NotImportedError.
    """
    needed = network.state_dict()
    shapes = {name: tuple(value.shape) for name, value in needed.items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if shapes != found:
        name = min(set(shapes.items()) ^ set(found.items()))[0]
        raise NotImportedError(
            f"the weights do not fit {place} at {shown(name)}: correct the network's arguments, or"
            f" {REMEDY}"
        )
    kept = {name: value.to(needed[name].dtype).contiguous() for name, value in state.items()}
    if not all(bool(torch.isfinite(value).all()) for value in kept.values()):
        raise NotImportedError("the network has weights that are not finite: train again")
    network.load_state_dict(kept, strict=True, assign=True)
    return network.eval()


def _stated(configuration: Configuration) -> Component:
    key = next((name for name in ENTRIES if name in configuration.entries), ENTRIES[0])
    stated = configuration.component(key)
    if stated.name not in ARGUMENTS:
        raise stated.refuse(
            f"is not among {', '.join(ARGUMENTS)}, which OARflow builds from weights", REMEDY
        )
    return stated


def _checked(stated: Component) -> dict[str, Any]:
    """The arguments as plain values of the kinds that the class takes."""
    known = ARGUMENTS[stated.name]
    stated.allow(tuple(known))
    found = {}
    for key, raw in stated.arguments.items():
        found[key] = stated.configuration.plain(stated.named(key), raw)
        known[key](stated.named(key), found[key])
    if found.get("spatial_dims", 3) != 3 or found.get("in_channels", 1) != 1:
        raise stated.refuse("is no 3-D network of one channel")
    whole(stated.named("out_channels"), found.get("out_channels"), 1, 256)
    return found


def _built(stated: Component, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """Only the classes of `ARGUMENTS` are built; no name of the configuration is imported."""
    if importlib.util.find_spec("monai") is None:
        raise NotImportedError(
            f"monai is not installed: install OARflow with the extra [train], or {REMEDY}"
        )
    from monai.networks.nets.basic_unet import BasicUNet
    from monai.networks.nets.dynunet import DynUNet
    from monai.networks.nets.segresnet import SegResNet
    from monai.networks.nets.unet import UNet

    classes: dict[str, Callable[..., torch.nn.Module]] = {
        "UNet": UNet,
        "BasicUNet": BasicUNet,
        "DynUNet": DynUNet,
        "SegResNet": SegResNet,
    }
    defaults = {"in_channels": 1} if stated.name == "SegResNet" else {}
    try:
        return classes[stated.name](**defaults | _tuples(arguments))
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise stated.refuse(f"cannot be built ({shown(str(e))})", "correct its arguments") from None


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _state(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a file by their names in the network."""
    saved = part(path.name, read_torch_file(path, RESAVE), dict)
    for key in WITHIN:
        if isinstance(saved.get(key), dict):
            saved = saved[key]
            break
    found: dict[str, torch.Tensor] = {}
    for name, value in saved.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise NotImportedError(f"{path.name} holds {shown(name)}, which is no weight: {RESAVE}")
        if value.layout != torch.strided or value.is_complex() or value.is_quantized:
            raise NotImportedError(f"{shown(name)} is no plain tensor: {RESAVE}")
        found[name.removeprefix("module.")] = value
    return found
