"""Text from outside, made safe to display: no invisible characters, no changes of direction."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Joiners of Persian and Indian scripts. They do not change the order of characters."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, formats (bidirectional overrides, isolates and marks; zero-width characters), halves of
surrogate pairs, separators of lines and paragraphs."""


def hidden(text: str) -> tuple[str, ...]:
    """Characters that are invisible or change how others are displayed, each once."""
    return tuple(
        sign
        for sign in dict.fromkeys(text)
        if unicodedata.category(sign) in _HIDDEN and sign not in _JOINERS
    )


def shown(text: str, *, keep: str = "") -> str:
    r"""The text with hidden characters as escapes such as \u202e.

    keep: characters that stay as they are, such as the line breaks of a text of many lines.
    """
    for sign in hidden(text):
        if sign not in keep:
            text = text.replace(sign, escaped(sign))
    return text


def finalize(value: object) -> object:
    """For Jinja's `finalize`: `shown` of every string except our own markup."""
    return shown(value, keep="\n\t") if type(value) is str else value


def escaped(sign: str) -> str:
    r"""A character as \u202e or \U000e0041."""
    number = ord(sign)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
