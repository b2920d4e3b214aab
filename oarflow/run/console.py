"""Tables for people: as wide as the terminal, else of one width."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


def rich_console(stream: TextIO) -> Console:
    """What prints tables to a stream."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False)
