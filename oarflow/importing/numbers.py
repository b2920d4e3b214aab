"""Values of a JSON document, checked one by one: kinds and bounds."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown

Kind = TypeVar("Kind")

MOST_TEXT = 200


def part(key: str, value: Any, kind: type[Kind]) -> Kind:
    """A value of that kind. Raises NotImportedError for any other, like all functions here."""
    if not isinstance(value, kind):
        raise NotImportedError(f"{key} is {shown(value)} instead of a {kind.__name__}")
    return value


def text(key: str, value: Any) -> str:
    """Printable text of bounded length."""
    if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isprintable():
        raise NotImportedError(f"{key} is {shown(value)} instead of a short text")
    return value


def whole(key: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise NotImportedError(
            f"{key} is {shown(value)} instead of a whole number from {least} to {most}"
        )
    return value


def number(key: str, value: Any, least: float, most: float) -> float:
    """A finite number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotImportedError(f"{key} is {shown(value)} instead of a number")
    if not math.isfinite(value) or not least <= value <= most:
        raise NotImportedError(f"{key} is {shown(value)}, outside {least:g} to {most:g}")
    return float(value)


def sizes(key: str, value: Any, *, least: int = 1, most: int, count: int = 3) -> tuple[int, ...]:
    """A list of at most `count` whole numbers within bounds."""
    listed = part(key, value, list)
    if not 1 <= len(listed) <= count:
        raise NotImportedError(f"{key} has {len(listed)} numbers instead of 1 to {count}")
    return tuple(whole(key, item, least, most) for item in listed)
