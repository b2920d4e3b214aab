"""What the numbers of a mask or a label map may be. Values are refused, never guessed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.types import Mask

WHOLE = 1e-3
"""A value this near to a whole number is that number: files scale and round."""

LARGEST_LABEL = 65535
"""Labels go up to here."""

NAMED = 5
"""So many values are named in a message."""

Labels = NDArray[np.uint16]


def organ_mask(values: NDArray[Any]) -> Mask:
    """A mask of one organ: nought and one other whole number, or shares of 0 to 1 from one half.

    Raises ValueError for what may mean something else: several values, negative ones, none that
    reaches one half, no numbers.
    """
    low, high = _range(values)
    if low < -WHOLE:
        raise ValueError(f"holds the negative value {low:g}; a mask is 0 and 1")
    if high <= WHOLE:
        return np.zeros(values.shape, dtype=np.bool_)
    if high < 0.5:
        raise ValueError(f"its greatest value is {high:g}; a mask is 0 and 1")
    if high <= 1 + WHOLE:
        return np.asarray(values >= 0.5)
    full = abs(high - round(high)) <= WHOLE
    mask = _near(values, high)
    if not full or not (mask | _near(values, 0)).all():
        raise ValueError(
            f"holds the values {_named(_found(values))}; a mask of one organ is 0 and one other "
            "whole number"
        )
    return mask


def label_map(values: NDArray[Any], known: Collection[int]) -> Labels:
    """A label map as whole numbers. known: the values of its table; 0 is always one.

    Raises ValueError for values that are not whole (to `WHOLE`), not in the table, or no numbers.
    """
    _range(values)
    found = _found(values)
    whole = [round(value) for value in found]
    broken = [v for v, near in zip(found, whole, strict=True) if abs(v - near) > WHOLE]
    if broken:
        raise ValueError(f"holds values that are not whole: {_named(broken)}")
    if strange := sorted(set(whole) - {0, *known}):
        count = int(np.isin(np.rint(values), strange).sum())
        raise ValueError(
            f"holds values that dataset.json does not name: {_named(strange)} ({count} voxels)"
        )
    return np.asarray(np.rint(values), dtype=np.uint16)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """Least and greatest value. Raises ValueError where one is no number."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("holds values that are no numbers (NaN or infinite)")
    return low, high


def _near(values: NDArray[Any], number: float) -> Mask:
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(values == number)
    return np.asarray(np.abs(values - number) <= WHOLE)


def _found(values: NDArray[Any]) -> list[float]:
    """The different values, ascending. Raises ValueError for more than labels can have."""
    found = np.unique(values[0])
    for plane in values[1:]:
        found = np.union1d(found, np.unique(plane))
        if len(found) > LARGEST_LABEL:
            raise ValueError(f"holds more than {LARGEST_LABEL} values: an image, no label map")
    return [float(value) for value in found]


def _named(values: Collection[float]) -> str:
    listed = ", ".join(f"{value:.6g}" for value in list(values)[:NAMED])
    return listed + (f" and {len(values) - NAMED} more" if len(values) > NAMED else "")
