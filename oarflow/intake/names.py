"""File names as exporters give them: which ones could belong to one series."""

from __future__ import annotations

import re
from pathlib import PurePath

_NUMBERS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")


def patterns(name: str) -> frozenset[str]:
    """What a file's name shares with those of other slices; no two series' names need differ.

    Its text with every number (decimal or hexadecimal) replaced by `#`, so that IM0007 and IM0012
    share `im#`; and, where a number is in it, its length and suffix, for names of random letters.
    """
    text = name.lower()
    suffix = PurePath(text).suffix
    if not re.fullmatch(r"\.[a-z]\w*", suffix):  # the last number of a UID is none
        suffix = ""
    found = {_NUMBERS.sub("#", text)}
    if re.search(r"\d", text.removesuffix(suffix)):
        found.add(f"{len(text)} characters{suffix}")
    return frozenset(found)
