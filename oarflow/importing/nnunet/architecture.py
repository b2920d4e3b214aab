"""The architecture of a configuration, from an allow-list of names and bounded numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import require, require_keys
from oarflow.importing.nnunet import allowed
from oarflow.importing.nnunet.unet import Architecture, Sizes
from oarflow.importing.numbers import number, part, sizes, whole

MOST_STAGES = 10
MOST_FEATURES = 1024
MOST_BLOCKS = 32
MOST_KERNEL = 7
MOST_STRIDE = 4

REMEDY = "OARflow imports plain and residual-encoder U-Nets as nnU-Net plans them"

_BLOCKS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}


def architecture_of(configuration: Mapping[str, Any], dimensions: int) -> Architecture:
    """The architecture of a configuration with its inheritance resolved.

    dimensions: 2 or 3. Raises NotImportedError.
    """
    if "architecture" in configuration:
        stated = part("architecture", configuration["architecture"], dict)
        name = str(stated.get("network_class_name")).rsplit(".", 1)[-1]
        kwargs = part("arch_kwargs", stated.get("arch_kwargs"), dict)
        imported = part("_kw_requires_import", stated.get("_kw_requires_import", []), list)
        for key in imported:
            require("_kw_requires_import", key, allowed.NAMED_PARTS, REMEDY)
    else:
        name = str(configuration.get("UNet_class_name"))
        kwargs = _of_old_plans(configuration, name, dimensions)
    require("the network's class", name, allowed.ARCHITECTURES, REMEDY)
    return _architecture(name, kwargs, dimensions)


def _of_old_plans(configuration: Mapping[str, Any], name: str, dimensions: int) -> dict[str, Any]:
    """The fields of nnU-Net 2.0 to 2.3 as arguments of later versions."""
    blocks = part("n_conv_per_stage_encoder", configuration.get("n_conv_per_stage_encoder"), list)
    base = whole("UNet_base_num_features", configuration.get("UNet_base_num_features"), 1, 1024)
    most = whole("unet_max_num_features", configuration.get("unet_max_num_features"), 1, 1024)
    return {
        "n_stages": len(blocks),
        "features_per_stage": [
            min(base * 2 ** min(stage, MOST_STAGES), most) for stage in range(len(blocks))
        ],
        "kernel_sizes": configuration.get("conv_kernel_sizes"),
        "strides": configuration.get("pool_op_kernel_sizes"),
        _BLOCKS.get(name, "n_conv_per_stage"): blocks,
        "n_conv_per_stage_decoder": configuration.get("n_conv_per_stage_decoder"),
        "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _architecture(name: str, kwargs: Mapping[str, Any], dimensions: int) -> Architecture:
    kind: Literal["PlainConvUNet", "ResidualEncoderUNet"]
    kind = "PlainConvUNet" if name == "PlainConvUNet" else "ResidualEncoderUNet"
    known = [
        "n_stages",
        "features_per_stage",
        "conv_op",
        "kernel_sizes",
        "strides",
        "n_conv_per_stage_decoder",
        "conv_bias",
        "norm_op",
        "norm_op_kwargs",
        "dropout_op",
        "dropout_op_kwargs",
        "nonlin",
        "nonlin_kwargs",
        "nonlin_first",
        "deep_supervision",
    ]
    require_keys("arch_kwargs", kwargs, (*known, _BLOCKS[name]), REMEDY)
    _check_parts(kwargs, dimensions)
    stages = whole("n_stages", kwargs.get("n_stages"), 2, MOST_STAGES)
    norm = _keywords(kwargs, "norm_op_kwargs", ("eps", "affine"))
    nonlin = _keywords(kwargs, "nonlin_kwargs", ("inplace", "negative_slope"))
    return Architecture(
        kind=kind,
        dimensions=2 if dimensions == 2 else 3,
        features=_each(kwargs, "features_per_stage", stages, MOST_FEATURES),
        kernels=_axes(kwargs, "kernel_sizes", stages, dimensions, MOST_KERNEL),
        strides=_axes(kwargs, "strides", stages, dimensions, MOST_STRIDE),
        blocks=_each(kwargs, _BLOCKS[name], stages, MOST_BLOCKS),
        decoder=_each(kwargs, "n_conv_per_stage_decoder", stages - 1, MOST_BLOCKS),
        bias=part("conv_bias", kwargs.get("conv_bias", False), bool),
        epsilon=number("norm_op_kwargs.eps", norm.get("eps", 1e-5), 0.0, 1.0),
        affine=part("norm_op_kwargs.affine", norm.get("affine", False), bool),
        slope=number("nonlin_kwargs.negative_slope", nonlin.get("negative_slope", 0.01), 0.0, 1.0),
    )


def _check_parts(kwargs: Mapping[str, Any], dimensions: int) -> None:
    """Refuse every class but those that stand on the lists."""
    for key, table in (("conv_op", allowed.CONVOLUTIONS), ("norm_op", allowed.NORMALIZATIONS)):
        name = require(key, kwargs.get(key), table, REMEDY)
        if table[name] != dimensions:
            raise NotImportedError(f"{key} is {name}, but the patch has {dimensions} dimensions")
    require("nonlin", kwargs.get("nonlin"), allowed.ACTIVATIONS, REMEDY)
    require("dropout_op", kwargs.get("dropout_op"), (None,), REMEDY)
    require("nonlin_first", kwargs.get("nonlin_first", False), (False,), REMEDY)


def _keywords(kwargs: Mapping[str, Any], key: str, known: tuple[str, ...]) -> dict[str, Any]:
    found = kwargs.get(key)
    values = {} if found is None else part(key, found, dict)
    require_keys(key, values, known, REMEDY)
    return values


def _each(kwargs: Mapping[str, Any], key: str, count: int, most: int) -> Sizes:
    """One number per stage; a single number stands for all."""
    value = kwargs.get(key)
    if isinstance(value, int):
        value = [value] * count
    found = sizes(key, value, most=most, count=MOST_STAGES)
    if len(found) != count:
        raise NotImportedError(f"{key} has {len(found)} numbers for {count} stages")
    return found


def _axes(
    kwargs: Mapping[str, Any], key: str, count: int, dimensions: int, most: int
) -> tuple[Sizes, ...]:
    """One number per axis for each stage; a single number stands for all axes."""
    value = kwargs.get(key)
    listed = [value] * count if isinstance(value, int) else part(key, value, list)
    if len(listed) != count:
        raise NotImportedError(f"{key} has {len(listed)} entries for {count} stages")
    rows = (
        sizes(key, [row] * dimensions if isinstance(row, int) else row, most=most) for row in listed
    )
    found = tuple(rows)
    if any(len(row) != dimensions for row in found):
        raise NotImportedError(f"{key} does not have {dimensions} numbers for each stage")
    if key == "kernel_sizes" and any(size % 2 == 0 for row in found for size in row):
        raise NotImportedError(f"{key} has an even size: {REMEDY}")
    return found
