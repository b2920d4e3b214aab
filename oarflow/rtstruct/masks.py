"""Converts given masks to fields for contouring, and given colours to RGB."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oarflow.masks import bounding_box
from oarflow.structures import ProbabilityField

MASK_THRESHOLD = 0.5
"""The level of the surface of a mask or a probability field."""

PALETTE = (
    (255, 128, 0),
    (0, 170, 255),
    (0, 200, 0),
    (255, 0, 160),
    (255, 230, 0),
    (140, 80, 255),
    (0, 220, 200),
    (220, 0, 0),
    (170, 110, 40),
    (150, 220, 100),
    (0, 90, 220),
    (255, 160, 200),
)
"""Colours, in turn, of regions without a given colour."""

_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")

Colour = Sequence[int] | str


def field_of(mask: NDArray[np.generic], shape: tuple[int, int, int]) -> ProbabilityField:
    """A mask as a field, cropped.

    mask: (z, y, x) of `shape`: bool; whole numbers 0 and 1; or floats 0 to 1, whose surface lies
    at 0.5, between voxels. Raises ValueError for anything else, and for an empty mask.
    """
    values = np.asarray(mask)
    if values.shape != shape:
        raise ValueError(
            f"mask has shape {values.shape}, the CT {shape} (z, y, x)" + _hint(values, shape)
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(f"mask has type {values.dtype}: use bool, 0 and 1, or floats 0 to 1")
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= 1:
        raise ValueError(f"mask has values {low} to {high}: choose one label, `mask == label`")
    if high < MASK_THRESHOLD:
        raise ValueError(f"the mask is empty: no voxel reaches {MASK_THRESHOLD}")
    z, y, x = box = bounding_box(values > 0)
    start = (z.start, y.start, x.start)
    return ProbabilityField(values[box].astype(np.float32), start, MASK_THRESHOLD)


def _hint(values: NDArray[np.generic], shape: tuple[int, int, int]) -> str:
    if values.shape == (*shape[1:], shape[0]):
        return ": for (rows, columns, slices) use np.moveaxis(mask, -1, 0)"
    return ""


def colour_of(given: Colour | None, number: int) -> tuple[int, int, int]:
    """Red, green, blue (0 to 255) from three numbers or "#rrggbb"; None: from the palette.

    number: of regions before this one. Raises ValueError.
    """
    if given is None:
        return PALETTE[number % len(PALETTE)]
    if isinstance(given, str):
        found = _HEX.fullmatch(given)
        if found is None:
            raise ValueError(f"colour {given!r} is not #rrggbb")
        parts = [int(part, 16) for part in found.groups()]
    else:
        parts = [int(part) for part in given]
    if len(parts) != 3 or not all(0 <= part <= 255 for part in parts):
        raise ValueError(f"colour {given} is not three numbers of 0 to 255")
    red, green, blue = parts
    return red, green, blue
