"""The size that a compressed image claims for itself, known before a decoder makes room for it."""

from __future__ import annotations

_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG = b"\xff\xd8"
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
_FRAMES = frozenset(range(0xC0, 0xD0)) - _NO_FRAME | {0xF7}
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})


def claimed_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 stream, None where it does not say."""
    if stream.startswith(_JPEG_2000):
        return _of_jpeg_2000(stream)
    return _of_jpeg(stream) if stream.startswith(_JPEG) else None


def _of_jpeg_2000(stream: bytes) -> tuple[int, int] | None:
    if len(stream) < 24:
        return None
    right, bottom, left, top = (
        int.from_bytes(stream[at : at + 4], "big") for at in range(8, 24, 4)
    )
    return bottom - top, right - left


def _of_jpeg(stream: bytes) -> tuple[int, int] | None:
    at = len(_JPEG)
    while at + 9 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            rows = int.from_bytes(stream[at + 5 : at + 7], "big")
            return rows, int.from_bytes(stream[at + 7 : at + 9], "big")
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None
