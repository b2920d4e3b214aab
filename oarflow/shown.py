"""Text of others as a person is shown it: nothing invisible in it, nothing that turns it round."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""They shape letters of Persian and of Indian scripts, and change no order."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, formats (bidirectional overrides, isolates and marks; zero-width characters), halves of
surrogate pairs, separators of lines and paragraphs."""


def hidden(text: str) -> tuple[str, ...]:
    """Characters that do not show, or that change how others show, each once."""
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
    """For Jinja's `finalize`: every string that a template shows, markup of our own excepted."""
    return shown(value, keep="\n\t") if type(value) is str else value


def escaped(sign: str) -> str:
    r"""A character as \u202e or \U000e0041."""
    number = ord(sign)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
