"""The generated pages are what the program says now."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from docs import generate
from docs.generators import COMMAND, MADE
from docs.generators.fields import rows, sections, values
from oarflow.flags.codes import FlagCode
from oarflow.node.settings import NodeSettings
from oarflow.node.states import MEANINGS, State
from oarflow.run.settings import Settings

PAGES = generate.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_the_program_says(name: str) -> None:
    path = generate.REFERENCE / name
    assert path.is_file(), f"run: {COMMAND}"
    assert path.read_text(encoding="utf-8") == PAGES[name], f"run: {COMMAND}"


def test_no_page_of_a_command_is_left_over() -> None:
    folder = generate.REFERENCE / "commands"
    present = {path.relative_to(generate.REFERENCE).as_posix() for path in folder.rglob("*.md")}
    assert present == {name for name in PAGES if name.startswith("commands/")}


def test_a_page_that_calls_itself_generated_is() -> None:
    marked = {
        path.relative_to(generate.REFERENCE).as_posix()
        for path in generate.REFERENCE.rglob("*.md")
        if MADE in path.read_text(encoding="utf-8")
    }
    assert marked == {name for name in PAGES if name.endswith(".md")}


@pytest.mark.parametrize(
    ("name", "model"), [("settings.md", Settings), ("node-settings.md", NodeSettings)]
)
def test_every_key_of_the_settings_is_on_its_page(name: str, model: type[BaseModel]) -> None:
    page = PAGES[name]
    for place, section in sections(model):
        if place.startswith("structures"):  # structures.md has the recipes
            continue
        assert not place or f"`{place}`" in page
        for row in rows(section):
            own = f"| `{row.name}` |" in page and row.meaning in page
            assert own or (not place and f"## `{row.name}" in page), f"{place}.{row.name}"


def test_every_flag_and_state_is_on_its_page_once() -> None:
    assert all(PAGES["flags.md"].count(f"| `{code}` |") == 1 for code in FlagCode)
    assert all(PAGES["jobs.md"].count(f"| `{state}` | {MEANINGS[state]} |") == 1 for state in State)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true, false"),
        (int | None, "whole number, or null"),
        (tuple[str, ...], "list of text"),
        (tuple[float, float, float], "3 numbers"),
        (dict[str, int], "whole numbers by name"),
        (Path, "path"),
        (State, "code"),
    ],
)
def test_allowed_values_in_words(annotation: object, words: str) -> None:
    assert values(annotation) == words
