"""`scores.csv`: one line per case and organ."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

from oarflow.compare.scores import Score
from oarflow.tables import write_csv

COLUMNS = tuple(field.name for field in fields(Score))


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write the file; `inf` where nothing was contoured."""
    rows = ([f"{v:.6g}" if isinstance(v, float) else v for v in astuple(one)] for one in scores)
    write_csv(path, COLUMNS, rows)


def read_scores(path: Path) -> tuple[Score, ...]:
    """Read what `write_scores` wrote.

    Raises ValueError naming file and line where it is something else.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:  # as Excel writes it, too
        rows = csv.DictReader(file)
        if missing := set(COLUMNS) - set(rows.fieldnames or ()):
            raise ValueError(f"{path.name} lacks the columns {', '.join(sorted(missing))}")
        found = []
        for line, row in enumerate(rows, start=2):
            try:
                figures = [float(row[name]) for name in COLUMNS[2:]]
            except (TypeError, ValueError):
                raise ValueError(f"{path.name}, line {line}: not a number") from None
            found.append(Score(row["case"], row["organ"], *figures))
    return tuple(found)
