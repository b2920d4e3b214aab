"""Overlay graphics in unused bits of the pixels, as older scanners write; retired in DICOM 2004."""

from __future__ import annotations

from pydicom import Dataset

_GROUPS = range(0x6000, 0x6020, 2)
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000


def overlay_bits(dataset: Dataset) -> int:
    """The bits of the pixels' words, as a mask, that the overlay groups of a data set claim.

    An overlay with its own data claims none. Neither does an overlay of 1 bit at position 0: it had
    its own data before.
    """
    mask = 0
    for group in _GROUPS:
        position = _number(dataset, group, _BIT_POSITION)
        if position is None or (group, _DATA) in dataset:
            continue
        if position or (_number(dataset, group, _BITS_ALLOCATED) or 1) > 1:
            mask |= 1 << position
    return mask


def _number(dataset: Dataset, group: int, element: int) -> int | None:
    """An integer from 0 to 31 (a number of bits or a bit's position), else None."""
    if (group, element) not in dataset:
        return None
    value = dataset[group, element].value
    return value if isinstance(value, int) and 0 <= value < 32 else None
