"""The transforms before the network, as facts of a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from oarflow.importing.bundle.configuration import OTHERWISE, Component, Configuration, steps
from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import number
from oarflow.networks.imported.card import IntensityNormalization, ResampledValues
from oarflow.networks.imported.directions import check_orientation
from oarflow.types import Triple, triple

ENTRY = "preprocessing"
CROPPED = "OARflow would then read another part of the CT than MONAI"
RAS_LABELS = [["L", "R"], ["P", "A"], ["I", "S"]]
MOST_INTENSITY = 1e6


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a CT before the network reads it.

    image: the key of the image. orientation: as on a card. spacing_mm: along the turned image's
    x, y and z; None: not resampled yet. normalization: None: not normalized yet.
    """

    image: str
    orientation: str = ""
    spacing_mm: Triple | None = None
    normalization: IntensityNormalization | None = None
    resampled: ResampledValues = "hu"


def preprocessing(configuration: Configuration) -> Preprocessing:
    """The entry of that name. Raises NotImportedError naming what OARflow does not do."""
    transforms = steps(configuration, ENTRY)
    if not transforms:
        raise NotImportedError(f"{ENTRY} has no transforms: {OTHERWISE}")
    found = Preprocessing(image=str(transforms[0].value("keys")))
    for transform in transforms:
        handler = HANDLERS.get(transform.name)
        if handler is None:
            raise transform.refuse(REASONS.get(transform.name, "is unknown to OARflow"))
        if transform.value("keys") != found.image:
            raise transform.refuse(
                f"works on {shown(transform.value('keys'))}, not on {shown(found.image)} alone"
            )
        found = handler(transform, found)
    if found.spacing_mm is None:
        raise NotImportedError(f"{ENTRY} has no Orientationd with a Spacingd after it: {OTHERWISE}")
    return found


def _load(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow(KEYS, ("reader", "image_only", "ensure_channel_first"))
    return found


def _channel_first(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow(KEYS, ("channel_dim", "strict_check"))
    return found


def _typed(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow((*KEYS, "data_type", "dtype", "track_meta"), ("device",))
    step.fixed("data_type", "tensor")
    step.fixed("dtype", None)
    step.fixed("track_meta", None, True)
    return found


def _orientation(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow((*KEYS, "axcodes", "as_closest_canonical", "labels", "lazy"))
    step.fixed("as_closest_canonical", False)
    step.fixed("lazy", False)
    step.fixed("labels", None, RAS_LABELS)
    axcodes = step.value("axcodes")
    try:
        check_orientation(str(axcodes))
    except ValueError as error:
        raise NotImportedError(f"{step.named('axcodes')}: {error}") from None
    if found.orientation:
        raise step.refuse("stands there twice")
    return replace(found, orientation=axcodes)


def _spacing(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow((*KEYS, *SPACING))
    for key, allowed in SPACING.items():
        if allowed:
            step.fixed(key, *allowed)
    if not found.orientation or found.spacing_mm is not None:
        raise step.refuse("must follow Orientationd, once")
    listed = step.value("pixdim")
    if not isinstance(listed, list) or len(listed) != 3:
        raise step.refuse(f"has a pixdim of {shown(listed)} instead of three numbers")
    spacing = triple(number(step.named("pixdim"), item, 0.05, 50.0) for item in listed)
    resampled: ResampledValues = "hu" if found.normalization is None else "normalized"
    return replace(found, spacing_mm=spacing, resampled=resampled)


def _range(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow((*KEYS, "a_min", "a_max", "b_min", "b_max", "clip", "dtype"))
    step.fixed("dtype", "float32")
    clip = step.fixed("clip", False, True)
    low, high, bottom, top = (_intensity(step, key) for key in ("a_min", "a_max", "b_min", "b_max"))
    if low >= high or bottom >= top:
        raise step.refuse("does not map a range of intensities onto a range")
    std = (high - low) / (top - bottom)
    scaled = IntensityNormalization(scheme="linear", mean=low - bottom * std, std=std)
    if clip:
        scaled = scaled.model_copy(update={"scheme": "ct", "low": low, "high": high})
    return _normalized(step, found, scaled)


def _z_score(step: Component, found: Preprocessing) -> Preprocessing:
    step.allow((*KEYS, "subtrahend", "divisor", "nonzero", "channel_wise", "dtype"))
    step.fixed("dtype", "float32")
    step.fixed("nonzero", False)
    step.fixed("channel_wise", False, True)
    if step.value("subtrahend") is None or step.value("divisor") is None:
        raise step.refuse(
            "measures the mean or the deviation of the whole image, which a crop of the CT changes",
            f"train with a fixed subtrahend and divisor, or {OTHERWISE}",
        )
    mean, std = _intensity(step, "subtrahend"), _intensity(step, "divisor")
    if std <= 0:
        raise step.refuse(f"divides by {std:g}")
    return _normalized(step, found, IntensityNormalization(scheme="linear", mean=mean, std=std))


def _normalized(
    step: Component, found: Preprocessing, rule: IntensityNormalization
) -> Preprocessing:
    if found.normalization is not None:
        raise step.refuse("is a second normalization")
    return replace(found, normalization=rule)


def _intensity(step: Component, key: str) -> float:
    return number(step.named(key), step.value(key), -MOST_INTENSITY, MOST_INTENSITY)


KEYS = ("keys", "allow_missing_keys")

SPACING: dict[str, tuple[Any, ...]] = {
    "pixdim": (),
    "diagonal": (False,),
    "mode": ("bilinear",),
    "padding_mode": ("border",),
    "align_corners": (False,),
    "scale_extent": (False,),
    "recompute_affine": (False,),
    "min_pixdim": (None,),
    "max_pixdim": (None,),
    "ensure_same_shape": (True, False),
    "lazy": (False,),
}
"""Arguments of Spacingd with the values that OARflow follows."""

HANDLERS: dict[str, Callable[[Component, Preprocessing], Preprocessing]] = {
    "LoadImaged": _load,
    "EnsureChannelFirstd": _channel_first,
    "EnsureTyped": _typed,
    "Orientationd": _orientation,
    "Spacingd": _spacing,
    "ScaleIntensityRanged": _range,
    "NormalizeIntensityd": _z_score,
}

REASONS = {
    "CropForegroundd": f"crops the image by its values; {CROPPED}",
    "ScaleIntensityd": f"measures the least and greatest value of the whole image; {CROPPED}",
    "CenterSpatialCropd": f"crops the image; {CROPPED}",
    "Resized": "resizes the image to a fixed number of voxels, whatever its spacing",
}
"""Why known transforms are refused."""
