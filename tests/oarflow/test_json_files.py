"""What JSON of others must not do: lose a key in silence, or end in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.json_files import JsonError, parse_json, read_json
from oarflow.networks.card import read_card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' occurs twice"),
        ('{"a": 1,\n', "line 2: "),
        ("[" * 100_000, "nested too deep"),
        (b"\xff{}", "not encoded as UTF-8"),
    ],
)
def test_what_is_wrong_is_said(text: str | bytes, message: str) -> None:
    with pytest.raises(JsonError, match=message):
        parse_json(text)


def test_sound_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, None]}


def test_a_card_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"name": "a", "name": "b"}')
    with pytest.raises(ConfigurationError, match="'name' occurs twice"):
        read_card(tmp_path / "model.json")
