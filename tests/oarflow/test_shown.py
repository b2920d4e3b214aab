"""Characters that nobody sees, or that turn a text round, are shown as escapes everywhere."""

from __future__ import annotations

import io
import logging
import sys
import unicodedata
from pathlib import Path

import pytest
from markupsafe import Markup

from oarflow.datasets.report import _text as datasets_text
from oarflow.node import logs
from oarflow.node.delivery.refusal import RefusedStudy, reason_page
from oarflow.report.content import make_report
from oarflow.report.page import render
from oarflow.report.pdf import write_pdf
from oarflow.result import FaultPart
from oarflow.run.environment import configure_logging
from oarflow.run.table import print_result, print_trouble
from oarflow.shown import finalize, hidden, shown
from tests.oarflow.report import cases

OVERRIDE = "ID-\u202e321\u202c"
"""Would be read as ID-123."""
ESCAPED = r"ID-\u202e321\u202c"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""All characters with the property Bidi_Control (UAX 9)."""


def test_bidi_controls_and_controls_are_escaped() -> None:
    for sign in [*BIDI, *map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029"]:
        assert hidden(f"a{sign}b") == (sign,)
        assert shown(f"a{sign}b") == f"a\\u{ord(sign):04x}b"
    assert shown("a\u200bb\ufeffc\U000e0041") == r"a\u200bb\ufeffc\U000e0041"
    assert shown("a\ud800b") == r"a\ud800b"


@pytest.mark.parametrize(
    "name",
    [
        "Müller^Jörg",
        "山本^太郎=やまもと^たろう",
        "김^희중",
        "אברהם^כהן",
        "عمر",
        "\u0645\u06cc\u200c\u062e",
        "İ\u0307",
    ],
)
def test_names_of_all_scripts_stay(name: str) -> None:
    assert shown(name) == name
    assert not any(unicodedata.category(sign) == "Cc" for sign in name)


def test_templates_keep_markup_and_line_breaks() -> None:
    assert finalize("a\n\tb\u202e") == "a\n\tb\\u202e"
    assert finalize(Markup("<b>\u202e</b>")) == Markup("<b>\u202e</b>")
    assert finalize(7) == 7


def test_report_page_and_pdf(tmp_path: Path) -> None:
    volume = cases.volume()
    report = make_report(
        cases.result(volume, partner=OVERRIDE + "\0"), volume, cases.structures(volume), {}
    )
    page = render(report)
    assert "\u202e" not in page
    assert "\0" not in page
    assert ESCAPED + r"\u0000" in page
    write_pdf(tmp_path / "report.pdf", report)


def test_tables_and_lines_of_the_terminal() -> None:
    result = cases.result(cases.volume(), partner=f"[/] {OVERRIDE}").model_copy(
        update={"fault": FaultPart(kind="FAULT", message=f"{OVERRIDE}\nFORGED: line")}
    )
    out = io.StringIO()
    print_result(result, out)
    print_trouble(result, out)
    text = out.getvalue()
    assert not set(text) & set(BIDI)
    assert r"\u202e321" in text
    assert "\nFORGED" not in text


def test_lines_of_both_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        for set_up in (lambda: logs.set_up(logging.INFO), lambda: configure_logging(False)):
            root.handlers = []
            monkeypatch.setattr(logging.getLogger("app"), "handlers", [])
            monkeypatch.setattr(logging.getLogger("app"), "propagate", True)
            out = io.StringIO()
            monkeypatch.setattr(sys, "stderr", out)
            set_up()
            logging.getLogger("app.x").error("%s\n2026-01-01 ERROR forged", OVERRIDE)
            lines = out.getvalue().splitlines()
            assert lines
            assert not any(line.startswith("2026-01-01 ERROR") for line in lines)
            assert any(ESCAPED in line for line in lines)
    finally:
        root.handlers, root.level = before


def test_other_sinks() -> None:
    assert datasets_text(OVERRIDE) == ESCAPED
    study = RefusedStudy("k", 0, None, OVERRIDE + "\x07", Path("x"))
    assert reason_page(study).startswith(b"%PDF")
