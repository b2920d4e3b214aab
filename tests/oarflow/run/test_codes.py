"""The table of codes: complete, the same on the page and on the screen."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

from oarflow.configuration_codes import CONFIGURATION
from oarflow.errors import Code
from oarflow.run.codes import entries, page
from oarflow.run.table import print_codes

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs" / "reason-codes.md"
OFFLINE = ("datasets", "training", "evaluation", "node")
"""Parts of `oarflow` whose commands end in codes of their own."""


def raised() -> Iterator[str]:
    """Every code that a ConfigurationError of the application is made with."""
    for top in ("app", "operators", "oarflow"):
        for file in sorted((REPOSITORY / top).rglob("*.py")):
            if any(REPOSITORY / "oarflow" / part in file.parents for part in OFFLINE):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "ConfigurationError":
                    assert isinstance(node.args[0], ast.Constant), file
                    yield str(node.args[0].value)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: oarflow codes --markdown > docs/..."


def test_every_configuration_error_stands_in_the_table() -> None:
    assert set(raised()) == set(CONFIGURATION) - {"TIME_LIMIT"}


def test_statuses_are_those_the_program_ends_with() -> None:
    statuses = {entry.code: entry.status.value for entry in entries()}
    assert {statuses[code] for code in Code} == {3}
    assert {statuses[name] for name in CONFIGURATION if name != "TIME_LIMIT"} == {2}
    assert statuses["TIME_LIMIT"] == 143


def test_the_screen_shows_every_code_with_its_status() -> None:
    stream = io.StringIO()
    print_codes(stream)
    shown = dict(re.findall(r"^\W*([A-Z][A-Z_]+)\W+(\d+)\W", stream.getvalue(), re.MULTILINE))
    assert shown == {entry.code: str(entry.status.value) for entry in entries()}


def test_the_design_names_every_refusal() -> None:
    text = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
    assert not [code for code in Code if code not in text]
