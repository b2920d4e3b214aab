"""The texts of a CT's header that the rules of templates read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oarflow.errors import Refusal
from oarflow.intake import SeriesRule, SeriesRules, read_texts, read_volume
from tests.phantoms import make_series, write_series

TAGS = {
    "ProtocolName": "Schädel ",
    "StudyDescription": "Bestrahlungsplanung",
    "RequestedProcedureDescription": "Plan",
    "BodyPartExamined": "HEADNECK",
    "StationName": "CT-A",
}


def texts(folder: Path, **changes: Any) -> dict[str, str | None]:
    """Read without pixels; the intake of the pixels finds the same."""
    write_series(folder, make_series(**changes))
    found = read_texts(folder)
    assert found == read_volume(folder).texts
    return found


def test_every_text_in_its_character_set(tmp_path: Path) -> None:
    assert texts(tmp_path, tags=TAGS) == {
        "protocol_name": "Schädel",
        "series_description": "Planning CT",
        "study_description": "Bestrahlungsplanung",
        "requested_procedure": "Plan",
        "body_part": "HEADNECK",
        "station": "CT-A",
    }


def test_texts_that_are_missing_are_empty_and_those_that_differ_unknown(tmp_path: Path) -> None:
    found = texts(tmp_path, slice_tags={3: {"SeriesDescription": "Other"}})
    assert (found["protocol_name"], found["series_description"]) == ("", None)


def test_only_the_chosen_series_is_read(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_series(tags={"ProtocolName": "scout"}, slices=12))
    other = {"ProtocolName": "plan", "SeriesInstanceUID": "1.2.3"}
    write_series(tmp_path / "b", make_series(tags=other, slices=20))
    with pytest.raises(Refusal, match="AMBIGUOUS_SERIES"):
        read_texts(tmp_path)
    rules = SeriesRules(select=(SeriesRule(min_slices=15),))
    assert read_texts(tmp_path, rules)["protocol_name"] == "plan"


def test_texts_are_not_printed(tmp_path: Path) -> None:
    write_series(tmp_path, make_series(tags={"ProtocolName": "SECRET"}))
    assert "SECRET" not in repr(read_volume(tmp_path))
