"""Tables: the bytes that are written, and rows that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oarflow.tables import markdown_table, text_table, write_csv


def test_markdown() -> None:
    table = markdown_table(("organ", "n"), [("Brain", 2), ("", "a|b")])
    assert table == "| organ | n |\n| --- | --- |\n| Brain | 2 |\n| | a/b |"


def test_plain_text() -> None:
    table = text_table(("organ", "n"), [("Parotid_L", 2), ("Brain", "")])
    assert table == "organ      n\n---------  -\nParotid_L  2\nBrain"


def test_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ("organ", "n", "hd95_mm"), [("Brain, whole", 2, None)])
    assert (tmp_path / "a.csv").read_bytes() == b'organ,n,hd95_mm\n"Brain, whole",2,\n'


@pytest.mark.parametrize("table", [markdown_table, text_table])
@pytest.mark.parametrize("row", [("Brain",), ("Brain", 1, 2)])
def test_a_row_that_does_not_fit(table: Callable[..., str], row: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="in a table of 2 columns"):
        table(("organ", "n"), [row])
