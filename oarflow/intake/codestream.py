"""Size and end of a compressed image, read before a decoder allocates memory for it."""

from __future__ import annotations

_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG = b"\xff\xd8"
_END = b"\xff\xd9"
"""End of Image, and End of Codestream."""
_RLE_SEGMENTS, _RLE_HEADER = 15, 64
"""Most segments of an RLE image, and the number of bytes before the first one."""
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
_FRAMES = frozenset(range(0xC0, 0xD0)) - _NO_FRAME | {0xF7}
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})


def begins_image(stream: bytes) -> bool:
    """Whether bytes begin like a JPEG, JPEG-LS, JPEG 2000 or RLE stream."""
    return stream.startswith((_JPEG_2000, _JPEG)) or _begins_rle(stream)


def _begins_rle(stream: bytes) -> bool:
    segments, first = (int.from_bytes(stream[at : at + 4], "little") for at in (0, 4))
    return 0 < segments <= _RLE_SEGMENTS and first == _RLE_HEADER


def end_of_image(stream: bytes) -> int:
    """Bytes up to the end of a JPEG, JPEG-LS or JPEG 2000 stream; all if it has no end marker."""
    marked = -1 if _begins_rle(stream) else stream.rfind(_END)
    return len(stream) if marked < 0 else marked + len(_END)


def claimed_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 stream, None if it has no size."""
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
