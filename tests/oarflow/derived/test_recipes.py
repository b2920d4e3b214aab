"""Recipes as settings hold them: words, parents, and what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from oarflow.derived.margins import Margins
from oarflow.derived.recipes import Grow, Recipe
from oarflow.errors import ConfigurationError
from oarflow.run.settings import Settings, checked_settings, load_settings


def recipe(text: str) -> Recipe:
    settings = checked_settings({"structures": [{"X": yaml.safe_load(text)}]}, "test")
    return settings.structures[0]["X"]


@pytest.mark.parametrize(
    ("text", "words", "parents", "kind"),
    [
        ("{grow: A, mm: 5}", "A grown by 5 mm", ("A",), "AVOIDANCE"),
        (
            "{grow: A, mm: {lateral: 3, superior: 5}, within: E}",
            "A grown by 3 mm lateral, 5 mm superior, within E",
            ("A", "E"),
            "AVOIDANCE",
        ),
        ("{shrink: A, mm: {left: 2.5}}", "A shrunk by 2.5 mm left", ("A",), "CONTROL"),
        ("{union: [A, B, C]}", "union of A, B and C", ("A", "B", "C"), "ORGAN"),
        ("{intersect: [A, B]}", "intersection of A and B", ("A", "B"), "ORGAN"),
        ("{subtract: [A, B, C]}", "A without B and C", ("A", "B", "C"), "ORGAN"),
        ("{ring: A, from_mm: 5, to_mm: 15}", "ring from 5 to 15 mm around A", ("A",), "CONTROL"),
        ("{ring: A, to_mm: 3}", "ring from 0 to 3 mm around A", ("A",), "CONTROL"),
        ("{wall: A, mm: 3}", "wall of A, 3 mm thick", ("A",), "CONTROL"),
        (
            "{slices: A, superior: {of: B, end: inferior, mm: -10}, inferior: {mm: 4}}",
            "A up to 10 mm below the inferior end of B and down to 4 mm above the inferior end",
            ("A", "B"),
            "ORGAN",
        ),
    ],
)
def test_a_recipe_in_words(text: str, words: str, parents: tuple[str, ...], kind: str) -> None:
    found = recipe(text)
    assert (found.words, found.parents, found.default_type) == (words, parents, kind)


def test_margins_by_direction() -> None:
    found = recipe("{grow: A, mm: {lateral: 3, superior: 5, inferior: 2}}")
    assert isinstance(found, Grow)
    assert found.margins == Margins(left=3, right=3, superior=5, inferior=2)
    assert found.margins.mirrored == Margins(left=3, right=3, superior=2, inferior=5)


def test_a_negative_margin_is_no_margin() -> None:
    with pytest.raises(ValueError, match="-1 mm"):
        Margins(left=-1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{grow: A}", r"grow\.mm: Field required"),
        ("{grow: A, mm: 0}", "greater than 0"),
        ("{grow: A, mm: -3}", "greater than 0"),
        ("{grow: A, mm: 101}", "less than or equal to 100"),
        ("{grow: A, mm: .nan}", r"grow\.mm"),
        ("{grow: A, mm: {up: 3}}", r"unknown key .*\.up"),
        ("{grow: A, mm: {lateral: 3, left: 2}}", "`lateral`, or `left` and `right`"),
        ("{grow: A, mm: {}}", "no direction has a margin"),
        ("{grow: A, mm: {left: 0}}", "no direction has a margin"),
        ("{grow: A, mm: 3, type: PTV}", r"grow\.type"),
        ("{grow: A, mm: 3, tpye: ORGAN}", r"unknown key .*\.tpye"),
        ("{grow: A, mm: 3, colour: [0, 0, 256]}", r"grow\.colour"),
        ("{dilate: A, mm: 3}", "exactly one operator of grow, shrink"),
        ("{grow: A, ring: A, mm: 3}", "exactly one operator"),
        ("null", "exactly one operator"),
        ("{union: [A]}", "at least 2"),
        ("{union: A}", r"union\.union"),
        ("{ring: A, from_mm: 5, to_mm: 5}", "from_mm 5 must be below to_mm 5"),
        ("{slices: A}", "`superior`, `inferior` or both"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        recipe(text)
    assert error.value.code == "SETTINGS"
    assert r"structures.0.X" in str(error.value)


def test_an_entry_is_one_structure() -> None:
    with pytest.raises(ConfigurationError, match=r"structures\.0: .*at most 1"):
        checked_settings({"structures": [{key: {"wall": "A", "mm": 1} for key in "XY"}]}, "test")


def test_settings_with_structures_can_be_printed_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "app.yaml"
    path.write_text(
        "structures:\n"
        "  - X: {grow: A, mm: {left: 3}, within: B, type: CONTROL, colour: [1, 2, 3]}\n"
        "  - Y: {slices: A, superior: {mm: -5}}\n"
    )
    settings = load_settings(path)
    path.write_text(settings.as_yaml())
    assert load_settings(path) == settings


def test_settings_without_structures_do_not_name_them() -> None:
    assert "structures" not in Settings().model_dump(mode="json")
