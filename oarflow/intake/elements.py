"""Values of a data set from their raw bytes, without conversions that warn, fail or re-encode."""

from __future__ import annotations

import math
import re

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

from oarflow.intake.limits import MAX_HEADER_BYTES

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,12}")


def tag_of(keyword: str) -> int:
    """Number of a tag of the dictionary. Raises KeyError for an unknown keyword."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


def raw(dataset: Dataset, keyword: str) -> bytes | None:
    """Bytes of an element's value as in the file, None where it is missing."""
    tag = tag_of(keyword)
    # Without keep_deferred, pydicom converts an empty value and fails for an unknown VR.
    element = dataset.get_item(tag, keep_deferred=True) if tag in dataset else None
    if element is None:
        return None
    if isinstance(element, RawDataElement):
        value = element.value
        return value if isinstance(value, bytes) and len(value) <= MAX_HEADER_BYTES else b""
    return _encoded(element)


def _encoded(element: DataElement) -> bytes:
    """Bytes of an already converted value (of a data set made in memory)."""
    value = element.value
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    if element.VR in ("US", "SS") and isinstance(value, int):
        return (value & 0xFFFF).to_bytes(2, "little")
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value).encode("utf-8", "surrogateescape")
    return "\\".join(str(part) for part in value).encode("utf-8", "surrogateescape")


def plain(value: bytes | None) -> str:
    """ASCII text of raw bytes without padding; other characters are replaced."""
    return (value or b"").decode("ascii", "replace").strip(" \0\t\r\n")


def text(dataset: Dataset, keyword: str) -> str:
    """A text value as ASCII without padding, empty where missing."""
    return plain(raw(dataset, keyword))


def uid(dataset: Dataset, keyword: str) -> str:
    """A UID without the padding that DICOM allows, otherwise unchanged; empty where missing."""
    return (raw(dataset, keyword) or b"").decode("ascii", "replace").rstrip(" \0")


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued text, without padding."""
    whole = text(dataset, keyword)
    return tuple(part.strip() for part in whole.split("\\")) if whole else ()


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite decimal numbers; None where they are missing or invalid."""
    parts = texts(dataset, keyword)
    if len(parts) != count or not all(_DECIMAL.fullmatch(part) for part in parts):
        return None
    values = tuple(float(part) for part in parts)
    return values if all(math.isfinite(value) for value in values) else None


def number(dataset: Dataset, keyword: str) -> float | None:
    """One finite decimal number or None."""
    values = numbers(dataset, keyword, 1)
    return values[0] if values else None


def integer_text(dataset: Dataset, keyword: str) -> int | None:
    """One integer string or None."""
    value = text(dataset, keyword)
    return int(value) if _INTEGER.fullmatch(value) else None


def short(dataset: Dataset, keyword: str, *, signed: bool = False) -> int | None:
    """One 16-bit integer or None."""
    value = raw(dataset, keyword)
    if not value or len(value) != 2:
        return None
    element = dataset.get_item(tag_of(keyword), keep_deferred=True)
    little = element.is_little_endian if isinstance(element, RawDataElement) else True
    return int.from_bytes(value, "little" if little else "big", signed=signed)
