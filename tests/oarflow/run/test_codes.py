"""The table of codes: complete, the same in the program and on the screen."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

from oarflow.errors import Code
from oarflow.reason_codes import REASONS
from oarflow.run.table import print_codes

REPOSITORY = Path(__file__).resolve().parents[3]
OFFLINE = ("datasets", "training", "evaluation", "importing", "node")
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


def test_every_configuration_error_stands_in_the_table() -> None:
    assert set(raised()) == REASONS.keys() - set(Code) - {"TIME_LIMIT"}


def test_statuses_are_those_the_program_ends_with() -> None:
    assert {REASONS[code].status for code in Code} == {3}
    assert {REASONS[name].status for name in REASONS.keys() - set(Code) - {"TIME_LIMIT"}} == {2}
    assert REASONS["TIME_LIMIT"].status == 143


def test_refusals_come_first_in_their_order() -> None:
    assert list(REASONS)[: len(Code)] == list(Code)


def test_the_screen_shows_every_code_with_its_status() -> None:
    stream = io.StringIO()
    print_codes(stream)
    shown = dict(re.findall(r"^\W*([A-Z][A-Z_]+)\W+(\d+)\W", stream.getvalue(), re.MULTILINE))
    assert shown == {str(code): str(reason.status.value) for code, reason in REASONS.items()}
