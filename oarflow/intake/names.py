"""File names of exporters: patterns that show which files may belong to one series, and
replacement names without patient data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

_KNOWN_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_LETTERS = "ghijklmnopqrstuvwxyz"
_MAX_NAME, _ROOM = 200, 24
"""Number of a name's characters that its pseudonym follows, and of the pseudonym's additional
characters."""

_NUMBERS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")


def patterns(name: str) -> frozenset[str]:
    """The patterns that a file's name shares with names of other slices. Series may share them too.

    The name with every number (decimal or hexadecimal) replaced by `#`, so that IM0007 and IM0012
    share `im#`; and, if it has a number, its length and suffix, for names of random letters.
    """
    text = name.lower()
    found = {_NUMBERS.sub("#", text)}
    if _numbered(text):
        found.add(f"{len(text)} characters{_suffix(text)}")
    return frozenset(found)


def _suffix(text: str) -> str:
    suffix = PurePath(text).suffix
    return suffix if re.fullmatch(r"\.[a-z]\w*", suffix) else ""  # not the last number of a UID


def _numbered(text: str) -> bool:
    return re.search(r"\d", text.removesuffix(_suffix(text))) is not None


class Pseudonyms:
    """Replacement paths without patient data. They share patterns where the original names do."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, str], str] = {}
        self._given = 0

    def of(self, parts: Sequence[str]) -> PurePath:
        """A new relative path. parts: folders and name; hidden if one begins with a dot."""
        folder = self._word("folder", "/".join(parts[:-1]))
        dot = "." if any(part.startswith(".") for part in parts) else ""
        return PurePath(folder) / (dot + self._name(parts[-1].lower()))

    def _name(self, text: str) -> str:
        if text == "dicomdir":
            return "DICOMDIR"
        self._given += 1
        suffix = _suffix(text)
        ending = suffix if suffix in _KNOWN_SUFFIXES else suffix and "." + self._word("end", suffix)
        if not _numbered(text):
            return self._word("file", str(self._given)) + ending
        form = self._word("form", _NUMBERS.sub("#", text))
        # The same number of additional characters, so that names of equal length stay equal.
        width = min(len(text), _MAX_NAME) + _ROOM - len(form) - len(ending)
        return f"{form}{self._given:0{width}d}{ending}"

    def _word(self, kind: str, text: str) -> str:
        """A constant word for a text, of letters that are not hexadecimal digits."""
        number = len(self._words)
        return self._words.setdefault((kind, text), _letters(number))


def _letters(number: int) -> str:
    found = ""
    while True:
        number, at = divmod(number, len(_LETTERS))
        found += _LETTERS[at]
        if not number:
            return found
