"""Console for tables: as wide as the terminal, or of a fixed width elsewhere."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

PLAIN_WIDTH = 120
"""Columns where the output is no terminal."""


def rich_console(stream: TextIO) -> Console:
    """A console that prints tables to a stream."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False)
