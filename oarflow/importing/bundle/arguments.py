"""Kinds of arguments that networks take, each with a check of its value.

A check gets the argument's place for messages, and its plain value. It raises NotImportedError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import require, shown
from oarflow.importing.numbers import number, part, whole

Check = Callable[[str, Any], None]

MOST_WHOLE = 2048
MOST_ITEMS = 16

LAYERS = (
    *("batch", "group", "instance"),
    *("elu", "gelu", "leakyrelu", "mish", "prelu", "relu", "swish"),
)
"""Normalizations and activations that a configuration may name."""

LAYER_ARGUMENTS = ("affine", "eps", "inplace", "negative_slope", "num_groups", "momentum")

UPSAMPLING = ("deconv", "nontrainable", "pixelshuffle")
ORDERS = ("NDA", "NAD", "DNA", "DAN", "AND", "ADN", "NA", "AN")
REMEDY = "use model.ts with --torchscript"


def size(place: str, value: Any) -> None:
    """A whole number from 0."""
    whole(place, value, 0, MOST_WHOLE)


def sizes(place: str, value: Any) -> None:
    """A whole number, or a list of numbers or of lists of numbers."""
    for item in value if isinstance(value, list) else [value]:
        for inner in item if isinstance(item, list) else [item]:
            size(place, inner)
    _check_length(place, value)


def share(place: str, value: Any) -> None:
    """A number from 0 to 1, or nothing."""
    if value is not None:
        number(place, value, 0.0, 1.0)


def flag(place: str, value: Any) -> None:
    """True or false."""
    part(place, value, bool)


def layer(place: str, value: Any) -> None:
    """The name of a normalization or activation, alone or with plain arguments."""
    named = value if isinstance(value, list) else [value, {}]
    if len(named) != 2:
        raise NotImportedError(
            f"{place} is {shown(value)} instead of a name, or a name with its arguments: {REMEDY}"
        )
    require(place, str(named[0]).lower(), LAYERS, REMEDY)
    for key, inner in part(place, named[1], dict).items():
        require(place, key, LAYER_ARGUMENTS, REMEDY)
        if not isinstance(inner, bool):
            number(place, inner, 0.0, MOST_WHOLE)


def upsampling(place: str, value: Any) -> None:
    """How the decoder enlarges its features."""
    require(place, value, UPSAMPLING, REMEDY)


def order(place: str, value: Any) -> None:
    """The order of activation, dropout and normalization."""
    require(place, value, ORDERS, REMEDY)


def _check_length(place: str, value: Any) -> None:
    for listed in (value, *(value if isinstance(value, list) else ())):
        if isinstance(listed, list):
            whole(f"the length of {place}", len(listed), 0, MOST_ITEMS)
