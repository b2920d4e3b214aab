"""Values of a foreign configuration against lists of known names and keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from oarflow.importing.errors import NotImportedError

MOST_CHARACTERS = 60
"""How much of a strange value a message repeats."""


def shown(value: object) -> str:
    """A foreign value for a message, printable and short."""
    text = repr(value)
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."


def require(key: str, value: Any, known: Collection[Any], remedy: str) -> Any:
    """The value, if it is known. Raises NotImportedError naming the key and the value."""
    if isinstance(value, str | bool | int | None) and value in known:
        return value
    raise NotImportedError(f"{key} is {shown(value)}, which OARflow does not know: {remedy}")


def require_keys(part: str, found: Mapping[str, Any], known: Collection[str], remedy: str) -> None:
    """Raise NotImportedError where a part of a configuration has a key that is not known."""
    if strange := sorted(set(found) - set(known)):
        raise NotImportedError(f"{part} has {shown(strange[0])}, unknown to OARflow: {remedy}")
