"""Twenty common names for each character set of PS3.3 C.12.1.1.2, encoded as PS3.5 annexes H to K.

Python's codecs encode the characters; the escape sequences stand here as the standard has them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

_OF: dict[str, str] = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text("utf-8"))


def _bytes(codec: str) -> Callable[[str], bytes]:
    return lambda name: name.encode(codec)


def _shifted(codec: str, escape: bytes) -> Callable[[str], bytes]:
    """G1 is designated anew in every component that needs it (PS3.5 6.1.2.5.3)."""

    def encode(name: str) -> bytes:
        groups = [
            b"^".join(
                (b"" if part.isascii() else escape) + part.encode(codec)
                for part in group.split("^")
            )
            for group in name.split("=")
        ]
        return b"=".join(groups)

    return encode


def _japanese(name: str) -> bytes:
    """Two-byte characters in G0, ASCII before every delimiter (H.3.1)."""
    parts = [
        b"^".join(part.encode("iso2022_jp_1") for part in group.split("^"))
        for group in name.split("=")
    ]
    return b"=".join(parts)


def _romaji(name: str) -> bytes:
    """Half-width katakana, then characters of two bytes; JIS X 0201 returns instead of ASCII."""
    latin, ideographic, phonetic = name.split("=")
    kana = dict(zip(_OF["87"].split(), _OF["13"].split(), strict=True))[name]
    rest = _japanese(f"{ideographic}={phonetic}").replace(b"\x1b(B", b"\x1b(J")
    assert latin
    return kana.encode("shift_jis") + b"=" + rest


def _listed(names: str, encode: Callable[[str], bytes]) -> tuple[bytes, ...]:
    return tuple(encode(name) for name in names.split())


_SINGLE = {
    "100": ("iso8859_1", b"-A"),
    "101": ("iso8859_2", b"-B"),
    "109": ("iso8859_3", b"-C"),
    "110": ("iso8859_4", b"-D"),
    "144": ("iso8859_5", b"-L"),
    "127": ("iso8859_6", b"-G"),
    "126": ("iso8859_7", b"-F"),
    "138": ("iso8859_8", b"-H"),
    "148": ("iso8859_9", b"-M"),
    "166": ("tis_620", b"-T"),
    "203": ("iso8859_15", b"-b"),
}
NAMES: dict[str, tuple[bytes, ...]] = {
    "": _listed(_OF["ascii"], _bytes("ascii")),
    "ISO_IR 6": _listed(_OF["ascii"], _bytes("ascii")),
    "ISO 2022 IR 6": _listed(_OF["ascii"], _bytes("ascii")),
    **{f"ISO_IR {n}": _listed(_OF[n], _bytes(codec)) for n, (codec, _) in _SINGLE.items()},
    **{
        f"ISO 2022 IR 6\\ISO 2022 IR {n}": _listed(_OF[n], _shifted(codec, b"\x1b" + final))
        for n, (codec, final) in _SINGLE.items()
    },
    "ISO_IR 13": _listed(_OF["13"], _bytes("shift_jis")),
    "\\ISO 2022 IR 87": _listed(_OF["87"], _japanese),
    "ISO 2022 IR 6\\ISO 2022 IR 87": _listed(_OF["87"], _japanese),
    "ISO 2022 IR 87": _listed(_OF["87"], _japanese),
    "ISO 2022 IR 13\\ISO 2022 IR 87": _listed(_OF["87"], _romaji),
    "\\ISO 2022 IR 87\\ISO 2022 IR 159": _listed(_OF["159"], _japanese),
    "\\ISO 2022 IR 149": _listed(_OF["149"], _shifted("euc_kr", b"\x1b$)C")),
    "\\ISO 2022 IR 58": _listed(_OF["58"], _shifted("gb2312", b"\x1b$)A")),
    "GB18030": _listed(_OF["GBK"] + chr(0x3400), _bytes("gb18030")),
    "GBK": _listed(_OF["GBK"], _bytes("gbk")),
    "ISO_IR 192": _listed(
        " ".join([*_OF["87"].split()[:7], *_OF["149"].split()[:7], *_OF["144"].split()[:6]]),
        _bytes("utf-8"),
    ),
}
"""By Specific Character Set: the bytes of Patient's Name, unpadded."""
