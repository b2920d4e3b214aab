"""Ids in a table of patients are the text that stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.datasets.split import OPENKBP_SPLIT, Split
from oarflow.yaml_files import read_yaml

WRITTEN = (
    *("1001", "007", "1e3", "0x10", "0o17", "true", "null", "~", "2020-01-01", "12:30:00", "no"),
    *("1_000", "1.50", ".inf", "-5", "+3", "pt_7", "Ä 1"),
)


@pytest.mark.parametrize("written", WRITTEN)
def test_an_id_is_text_as_written(tmp_path: Path, written: str) -> None:
    table = tmp_path / "split.yaml"
    table.write_text(
        f"fit: [{written}]\ntune:\n  - other\n"
        f"exclusions:\n  - {{organ: Larynx, patients: [{written}]}}\n"
    )
    split = Split.read(table)
    assert split.fit == (written,)
    assert split.excluded == {("Larynx", written)}


def test_numbers_are_openkbp_s_in_openkbp_alone(tmp_path: Path) -> None:
    table = tmp_path / "split.yaml"
    table.write_text("fit: [1, pt_2]\ntune: ['3']\nexclusions: [{organ: Larynx, patients: [1]}]")
    split = Split.read(table).of_openkbp()
    assert split == Split(("pt_1", "pt_2"), ("pt_3",), frozenset({("Larynx", "pt_1")}))
    assert Split.read(OPENKBP_SPLIT).of_openkbp() == Split.read(OPENKBP_SPLIT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fit: abc\ntune: [d]", "is no list of patients"),
        ("fit: [[a]]\ntune: [d]", "is no list of patients"),
        ("fit: [a, a]\ntune: [d]", "named twice: a"),
        ("fit: [a]\nfit: [b]\ntune: [d]", "line 2: the key .fit. is already in line 1"),
        ("fit: ['']\ntune: [d]", "id is empty"),
        ("- a", "is no split"),
        ("fit: [", "is no split"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "split.yaml"
    table.write_text(text)
    with pytest.raises(ValueError, match=said):
        Split.read(table)


def test_a_table_keeps_its_words(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("a: {b: 1.0, c: yes}")
    assert read_yaml(tmp_path / "t.yaml", as_written=True) == {"a": {"b": "1.0", "c": "yes"}}
