"""A few values of a plain little endian data set, and where its pixels begin.

An element's tag and length are all that is read of those that nobody asked for. Data sets with
anything out of the way are left to pydicom, which takes several times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Container

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""Value representations by the size of their length field (PS3.5, 7.1.2)."""

_MAX_DEPTH = 8
_TAG_VR_SIZE, _TAG_LENGTH, _LENGTH = (struct.Struct(f"<{form}") for form in ("HH2sH", "HHL", "L"))


class NotPlain(Exception):
    """The data set is for a patient parser."""


def skim(
    raw: bytes, implicit: bool, wanted: Container[int], ends: Container[int]
) -> tuple[dict[int, bytes], int]:
    """Values of the wanted tags that are there, and the position of the first tag that ends it.

    Raises NotPlain, where it does not come to one of those too.
    """
    values: dict[int, bytes] = {}
    position = 0
    while True:
        tag, vr, start, length = _head(raw, position, implicit)
        if tag in ends:
            return values, position
        if length == UNDEFINED:
            position = _sequence_end(raw, vr, start, implicit, 1)
            continue
        position = start + length
        if position > len(raw):
            raise NotPlain
        if tag in wanted:
            values[tag] = raw[start:position]


def _head(raw: bytes, position: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, value representation, start of the value and its length."""
    try:
        if implicit:
            group, element, length = _TAG_LENGTH.unpack_from(raw, position)
            return group << 16 | element, b"", position + 8, length
        group, element, vr, length = _TAG_VR_SIZE.unpack_from(raw, position)
        if vr in _SHORT:
            return group << 16 | element, vr, position + 8, length
        if vr in _LONG:
            (length,) = _LENGTH.unpack_from(raw, position + 8)
            return group << 16 | element, vr, position + 12, length
    except struct.error as error:
        raise NotPlain from error
    raise NotPlain


def _sequence_end(raw: bytes, vr: bytes, position: int, implicit: bool, depth: int) -> int:
    """Behind a sequence of undefined length, of which `position` is the first item."""
    if depth > _MAX_DEPTH or vr not in (b"SQ", b""):
        raise NotPlain
    while True:
        tag, _, position, length = _head(raw, position, implicit=True)
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM:
            raise NotPlain
        if length != UNDEFINED:
            position += length
        else:
            position = _item_end(raw, position, implicit, depth)


def _item_end(raw: bytes, position: int, implicit: bool, depth: int) -> int:
    while True:
        if raw[position : position + 4] == b"\xfe\xff\x0d\xe0":
            return position + 8
        _, vr, start, length = _head(raw, position, implicit)
        if length == UNDEFINED:
            position = _sequence_end(raw, vr, start, implicit, depth + 1)
        else:
            position = start + length
