"""Patterns in rules that people write, for texts of DICOM headers and for names of systems."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

MAX_PATTERN_LENGTH = 200
"""Longest regular expression, in characters."""

MAX_SEARCHED = 64
"""Number of characters of a text that a regular expression is searched in: the length of an LO."""

_NESTED_QUANTIFIER = re.compile(r"[*+}]\??\)(?:[*+]|\{)")


def check_expression(expression: str) -> None:
    """Raise ValueError, with the reason, for an invalid, overlong or nested expression."""
    if len(expression) > MAX_PATTERN_LENGTH:
        raise ValueError(f"is longer than {MAX_PATTERN_LENGTH} characters")
    if _NESTED_QUANTIFIER.search(expression):
        raise ValueError("has nested repetitions, which may take forever")
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error


def is_found(expression: str, text: str) -> bool:
    """Whether a regular expression occurs in a text, ignoring case."""
    return re.search(expression, text[:MAX_SEARCHED], re.I) is not None


def matches_whole(pattern: str, value: str) -> bool:
    """Whether a pattern with `*`, `?` and `[ab]` matches a whole value, ignoring case."""
    return fnmatchcase(value.strip().casefold(), pattern.strip().casefold())
