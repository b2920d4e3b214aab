"""plans.json: one configuration, with every name checked against a list and every number bounded.

Plans of nnU-Net 2.0 to 2.3 state the architecture in fields of their own; later ones in
`architecture`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import require, require_keys, shown
from oarflow.importing.nnunet import allowed
from oarflow.importing.nnunet.architecture import architecture_of
from oarflow.importing.nnunet.unet import Architecture
from oarflow.importing.numbers import number, part, sizes, text, whole
from oarflow.networks.imported.card import IntensityNormalization, SplineOrder, SplineResampling

MOST_INHERITANCE = 10
RETRAIN = "train with nnU-Net's default for it, or contour with nnU-Net"

SCHEMES: Mapping[str, Literal["ct", "zscore", "range", "none"]] = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "zscore",
    "RescaleTo01Normalization": "range",
    "NoNormalization": "none",
}


@dataclass(frozen=True)
class Configured:
    """What inference needs from one configuration of the plans.

    name: of the configuration. plans: name of the plans. transpose, transpose_back: among
    (z, y, x). spacing_mm, patch: two or three numbers. reader: nnU-Net's class for images.
    """

    name: str
    plans: str
    transpose: tuple[int, int, int]
    reader: str
    normalization: IntensityNormalization
    spacing_mm: tuple[float, ...]
    patch: tuple[int, ...]
    image_resampling: SplineResampling
    logits_resampling: SplineResampling
    architecture: Architecture


def configured(plans: Mapping[str, Any], name: str) -> Configured:
    """A configuration of the plans. Raises NotImportedError."""
    found = _resolved(plans, name)
    if found.get("previous_stage"):
        raise NotImportedError(
            f"{name} is the second stage of a cascade, which OARflow does not run:"
            " import 3d_fullres or 3d_lowres"
        )
    manager = plans.get("label_manager", "LabelManager")
    require("label_manager", manager, ("LabelManager",), RETRAIN)
    require("preprocessor_name", found.get("preprocessor_name"), ("DefaultPreprocessor",), RETRAIN)
    patch = sizes("patch_size", found.get("patch_size"), most=512)
    if len(patch) not in (2, 3):
        raise NotImportedError(f"patch_size has {len(patch)} numbers instead of 2 or 3")
    spacing = part("spacing", found.get("spacing"), list)
    if len(spacing) != len(patch):
        raise NotImportedError("spacing and patch_size have different lengths")
    return Configured(
        name=name,
        plans=text("plans_name", plans.get("plans_name", "")),
        transpose=_transpose(plans),
        reader=require(
            "image_reader_writer", plans.get("image_reader_writer"), allowed.READERS, RETRAIN
        ),
        normalization=_normalization(plans, found),
        spacing_mm=tuple(number("spacing", value, 0.05, 50.0) for value in spacing),
        patch=patch,
        image_resampling=_resampling(found, "resampling_fn_data"),
        logits_resampling=_resampling(found, "resampling_fn_probabilities"),
        architecture=architecture_of(found, len(patch)),
    )


def _resolved(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration's fields, with those that it inherits."""
    configurations = part("configurations", plans.get("configurations"), dict)
    chain: list[dict[str, Any]] = []
    current: Any = name
    while current is not None:
        if current not in configurations or not isinstance(current, str):
            raise NotImportedError(f"plans.json has no configuration {shown(current)}")
        if len(chain) == MOST_INHERITANCE:
            raise NotImportedError(f"the configuration {name} inherits from itself")
        chain.append(part(f"configurations.{current}", configurations[current], dict))
        current = chain[-1].get("inherits_from")
    merged: dict[str, Any] = {}
    for fields in reversed(chain):
        merged |= fields
    return merged


def _transpose(plans: Mapping[str, Any]) -> tuple[int, int, int]:
    forward = sizes("transpose_forward", plans.get("transpose_forward"), least=0, most=2)
    backward = sizes("transpose_backward", plans.get("transpose_backward"), least=0, most=2)
    if sorted(forward) != [0, 1, 2] or [forward[axis] for axis in backward] != [0, 1, 2]:
        raise NotImportedError("transpose_forward and transpose_backward do not fit each other")
    z, y, x = forward
    return z, y, x


def _normalization(plans: Mapping[str, Any], found: Mapping[str, Any]) -> IntensityNormalization:
    schemes = part("normalization_schemes", found.get("normalization_schemes"), list)
    if len(schemes) != 1:
        raise NotImportedError(
            f"the network reads {len(schemes)} channels; OARflow imports networks of one CT channel"
        )
    scheme = SCHEMES[require("normalization_schemes", schemes[0], SCHEMES, RETRAIN)]
    if found.get("use_mask_for_norm") not in (None, [False]) and scheme == "zscore":
        raise NotImportedError("use_mask_for_norm is set, which OARflow does not do: " + RETRAIN)
    if scheme != "ct":
        return IntensityNormalization(scheme=scheme)
    name = "foreground_intensity_properties_per_channel"
    old = "foreground_intensity_properties_by_modality"
    measured = part(f"{name}.0", part(name, plans.get(name, plans.get(old)), dict).get("0"), dict)
    low, high, mean, std = (
        number(f"{name}.{key}", measured.get(key), -1e6, 1e6)
        for key in ("percentile_00_5", "percentile_99_5", "mean", "std")
    )
    if low >= high or std <= 0:
        raise NotImportedError(f"{name} gives no range of intensities")
    return IntensityNormalization(scheme="ct", low=low, high=high, mean=mean, std=std)


def _resampling(found: Mapping[str, Any], key: str) -> SplineResampling:
    known = ("resample_data_or_seg_to_shape",)
    require(key, found.get(key), known, RETRAIN)
    kwargs = part(f"{key}_kwargs", found.get(f"{key}_kwargs"), dict)
    names = ("is_seg", "order", "order_z", "force_separate_z")
    require_keys(f"{key}_kwargs", kwargs, names, RETRAIN)
    require(f"{key}_kwargs.is_seg", kwargs.get("is_seg", False), (False,), RETRAIN)
    force = kwargs.get("force_separate_z")
    require(f"{key}_kwargs.force_separate_z", force, (None, False, True), RETRAIN)
    return SplineResampling(
        order=cast(SplineOrder, whole(f"{key}_kwargs.order", kwargs.get("order", 3), 0, 5)),
        order_z=cast(SplineOrder, whole(f"{key}_kwargs.order_z", kwargs.get("order_z", 0), 0, 5)),
        separate_z=force,
    )
