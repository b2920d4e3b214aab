"""Encapsulated pixel data of one image, with any offset table and fragments."""

from __future__ import annotations

from collections.abc import Iterator

from oarflow.intake.codestream import begins_image, end_of_image
from oarflow.intake.files import DamagedError

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEAD = 8


def single_frame(value: bytes) -> tuple[bytes, int]:
    """The compressed image of a Pixel Data value, and the number of excess bytes after it.

    The offset table is ignored, because the order of the fragments defines a single image. Raises
    DamagedError where there is no image, or more than one.
    """
    table, *fragments = list(_items(value)) or [b""]
    if begins_image(table) or not any(fragments):
        fragments.insert(0, table)
    if sum(begins_image(fragment) for fragment in fragments) > 1:
        raise DamagedError("the pixel data hold more than one image")
    stream = b"".join(fragments)
    if not stream:
        raise DamagedError("the pixel data hold no image")
    end = end_of_image(stream)
    return stream[:end], max(0, len(stream) - end - end % 2)


def _items(value: bytes) -> Iterator[bytes]:
    """The items of a sequence of fragments. Raises DamagedError."""
    at = 0
    while at + _HEAD <= len(value) and value[at : at + len(_DELIMITER)] != _DELIMITER:
        length = int.from_bytes(value[at + len(_ITEM) : at + _HEAD], "little")
        at += _HEAD
        if value[at - _HEAD : at - _HEAD + len(_ITEM)] != _ITEM or at + length > len(value):
            raise DamagedError("the fragments of the compressed image are damaged")
        yield value[at : at + length]
        at += length
