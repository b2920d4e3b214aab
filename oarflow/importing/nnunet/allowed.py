"""The names that a result folder may use. nnU-Net imports and calls whatever such names say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from oarflow.importing.errors import NotImportedError

ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d": 2, "torch.nn.modules.conv.Conv3d": 3}
NORMALIZATIONS = {
    "torch.nn.modules.instancenorm.InstanceNorm2d": 2,
    "torch.nn.modules.instancenorm.InstanceNorm3d": 3,
}
ACTIVATIONS = ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU")
READERS = ("SimpleITKIO", "NibabelIO", "NibabelIOWithReorient", "SimpleITKIOWithReorient")
NAMED_PARTS = ("conv_op", "norm_op", "dropout_op", "nonlin")
"""Arguments of an architecture that name a class; nnU-Net lists them in `_kw_requires_import`."""

MOST_CHARACTERS = 60
"""How much of a strange value a message repeats."""


def shown(value: object) -> str:
    """A value of the folder for a message, printable and short."""
    text = repr(value)
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."


def require(key: str, value: Any, known: Collection[Any], remedy: str) -> Any:
    """The value, if it is known. Raises NotImportedError naming the key and the value."""
    if isinstance(value, str | bool | int | None) and value in known:
        return value
    raise NotImportedError(f"{key} is {shown(value)}, which OARflow does not know: {remedy}")


def require_keys(part: str, found: Mapping[str, Any], known: Collection[str], remedy: str) -> None:
    """Raise NotImportedError where a part of the plans has a key that is not known."""
    if strange := sorted(set(found) - set(known)):
        raise NotImportedError(f"{part} has {shown(strange[0])}, unknown to OARflow: {remedy}")
