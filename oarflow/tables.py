"""Tables in Markdown, plain text and CSV, for all pages and files.

A row has as many cells as the head. Cells are written with `str`, so that callers round figures.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = Sequence[object]


def markdown_table(head: Row, rows: Iterable[Row]) -> str:
    """A table in GitHub's Markdown, without a final line break.

    A bar within a cell becomes a slash, because it would end the cell. Raises ValueError where a
    row is longer or shorter than the head.
    """
    lines = [_markdown_line(head), _markdown_line(["---"] * len(head))]
    lines += [_markdown_line(row) for row in _of_width(len(head), rows)]
    return "\n".join(lines)


def text_table(head: Row, rows: Iterable[Row]) -> str:
    """A table in columns of plain text, with a rule under its head and no final line break.

    Raises ValueError where a row is longer or shorter than the head.
    """
    cells = [[str(cell) for cell in row] for row in (head, *_of_width(len(head), rows))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in padded)


def write_csv(path: Path, head: Row, rows: Iterable[Row]) -> None:
    """A comma-separated file in UTF-8, lines ending in a line feed; None is a blank cell.

    Raises ValueError where a row is longer or shorter than the head.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(_of_width(len(head), rows))


def _markdown_line(cells: Row) -> str:
    shown = (str(cell).replace("|", "/") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in shown)


def _of_width(width: int, rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        if len(row) != width:
            raise ValueError(f"a row of {len(row)} cells in a table of {width} columns")
        yield row
