"""Characters of a text value's bytes (PS3.5 6.1): no byte inside a character is a separator.

In the 7-bit character sets of Japan, and in GBK and GB18030, the bytes of `\\`, `^` and `=` are
also halves of characters.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

from oarflow.intake.elements import plain

ESCAPE = 0x1B

_LATIN_9 = frozenset({"ISO_IR 203", "ISO 2022 IR 203"})
_TERMS = frozenset(python_encoding) | _LATIN_9
_SEQUENCE = re.compile(rb"\x1b([\x20-\x2f]{1,3})[\x30-\x7e]")
"""An escape sequence of ISO 2022: what it designates, and the final byte of the character set."""

_DELIMITERS = frozenset(b"\\^=\r\n\t\f")
_FOUR_BYTES = re.compile(rb"[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]")
_TWO_BYTES = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_UTF8 = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_PLANE_0 = re.compile(rb"[\x21-\x7e]{2}")
_PLANE_1 = re.compile(rb"[\xa1-\xfe]{2}")


def terms(declared: bytes) -> list[str]:
    """The values of Specific Character Set (0008,0005); one empty value if it is missing."""
    return [term.strip() for term in plain(declared).split("\\")]


def known(declared: bytes) -> bool:
    """Whether every value is a defined term, or one that pydicom accepts as such."""
    return all(term in _TERMS for term in terms(declared))


def is_ascii(value: bytes) -> bool:
    """Whether a value means the same in every character set."""
    return value.isascii() and ESCAPE not in value


def characters(value: bytes, declared: bytes) -> Iterator[bytes]:
    """The bytes of one character after another, escape sequences left out.

    Bytes that form no character of the declared set come one by one.
    """
    whole = _multibyte(terms(declared)[0])
    shifted: dict[bytes, tuple[re.Pattern[bytes], ...]] = {b"(": (), b")": ()}
    at = 0
    while at < len(value):
        escape = _SEQUENCE.match(value, at)
        if escape:
            _designate(escape[1], shifted)
            at = escape.end()
            continue
        patterns = (*shifted[b"("], *shifted[b")"], *whole)
        found = next((m for pattern in patterns if (m := pattern.match(value, at))), None)
        end = found.end() if found else at + 1
        yield value[at:end]
        at = end


def _multibyte(term: str) -> tuple[re.Pattern[bytes], ...]:
    """Patterns of the multi-byte characters of a set without escape sequences."""
    if term == "GB18030":
        return (_FOUR_BYTES, _TWO_BYTES)
    if "GBK" in term:
        return (_TWO_BYTES,)
    return (_UTF8,) if term == "ISO_IR 192" else ()


def _designate(intermediates: bytes, shifted: dict[bytes, tuple[re.Pattern[bytes], ...]]) -> None:
    """Record what an escape sequence designates for G0 (bytes below 80) or G1 (above)."""
    multibyte = intermediates.startswith(b"$")
    if intermediates[-1:] in (b")", b"-"):
        shifted[b")"] = (_PLANE_1,) if multibyte else ()
    else:
        shifted[b"("] = (_PLANE_0,) if multibyte else ()


@lru_cache(maxsize=256)
def decoded(value: bytes, declared: bytes) -> str | None:
    """The value as text; None where it is not valid in the declared character sets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom uses the default for unknown names
        encodings = convert_encodings(terms(declared))
        text = decode_bytes(value, encodings, set(_DELIMITERS))
    return None if "\ufffd" in text else text
