"""Records of edits over months: their trend, and the commands that keep and draw them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from oarflow.commands import main
from oarflow.compare.records import Change
from oarflow.evaluation.review.edits_history import DatedEdit, groups, read_entries, trend
from tests.oarflow.compare.test_edits import WHEN, delivered, named, write
from tests.oarflow.report import cases

__all__ = ["delivered"]


def entry(day: float, surface_dice: float) -> DatedEdit:
    when = WHEN + timedelta(days=day)
    return DatedEdit(when, "Larynx", "net 1", Change.EDITED, surface_dice, 10.0, 0.5)


def test_a_drift_is_told_from_noise() -> None:
    rng = np.random.default_rng(3)
    days = np.arange(0, 180, 9.0)
    noise = rng.normal(0, 0.01, len(days))
    falling = [entry(day, 0.9 - 0.03 * day / 30 + e) for day, e in zip(days, noise, strict=True)]
    steady = [entry(day, 0.9 + e) for day, e in zip(days, noise, strict=True)]
    found = trend(falling)
    assert found is not None
    assert found.slope == pytest.approx(-0.03, abs=0.004)
    assert found.words.startswith("worse")
    still = trend(steady)
    assert still is not None
    assert still.words.startswith("steady")
    assert trend(steady[:5]) is None


def test_commands_keep_records_and_draw_their_history(delivered: Path, tmp_path: Path) -> None:
    edited, kept, pages = tmp_path / "edited", tmp_path / "records", tmp_path / "pages"
    edited.mkdir()
    write(edited / "from the planning system", named(cases.structures(cases.volume())))
    assert main(["evaluate", "edits", str(delivered), str(edited), "--save", str(kept)]) == 0
    (stored,) = kept.iterdir()
    record = json.loads(stored.read_text())
    record["started"] = "2026-03-02T00:00:00+00:00"
    (kept / "second.json").write_text(json.dumps(record))
    assert main(["evaluate", "edits", "--history", str(kept), "--output", str(pages)]) == 0
    page = (pages / "history.md").read_text()
    assert "| Larynx | oarflow/test 1.0.0 | 2 | 2 | 1.000" in page
    assert "| Larynx | oarflow/test 1.0.0 | 2026-03 | 1 |" in page
    assert (pages / "history.png").read_bytes().startswith(b"\x89PNG")
    assert len((pages / "history.csv").read_text().splitlines()) == 5
    assert set(groups(read_entries(kept))) == {
        ("Larynx", "oarflow/test 1.0.0"),
        ("Parotid_L", "oarflow/test 1.0.0"),
    }


def test_what_is_missing_is_said(tmp_path: Path, delivered: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert main(["evaluate", "edits"]) == 2
    assert main(["evaluate", "edits", "--history", str(tmp_path / "nothing")]) == 3
    assert main(["evaluate", "edits", str(delivered), str(tmp_path / "nothing")]) == 3
