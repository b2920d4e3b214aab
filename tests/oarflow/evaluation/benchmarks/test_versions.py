"""Two versions beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.evaluation.application import RunError
from oarflow.evaluation.benchmarks.versions import (
    Cost,
    TimedCT,
    cost_of,
    further,
    page,
)

BUSY = """
import pathlib, sys, time
while time.process_time() < 0.4:
    pass
held = bytearray(200 * 2**20)
held[::4096] = b"1" * len(held[::4096])
if "quiet" not in sys.argv:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir()
    (folder / "rtstruct.dcm").write_bytes(b"")
"""


def test_a_run_costs_what_its_process_used(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    out = tmp_path / "out"
    cost = cost_of(["busy.py", out], tmp_path, out)
    assert cost.processor_s >= 0.4
    assert cost.wall_s >= 0.4
    assert cost.peak_mb >= 200


def test_a_run_without_an_rtstruct_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    with pytest.raises(RunError, match="wrote 0 RTSTRUCTs of 1 studies"):
        cost_of(["busy.py", "quiet"], tmp_path, tmp_path / "out")


def test_a_study_that_is_missing_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    out = tmp_path / "out"
    with pytest.raises(RunError, match="wrote 1 RTSTRUCTs of 3 studies"):
        cost_of(["busy.py", out], tmp_path, out, studies=3)


def test_a_further_study_costs_what_it_adds() -> None:
    assert further(Cost(20, 15, 900), Cost(46, 35, 1000), 2) == Cost(13, 10, 1000)


def test_the_page_compares_medians() -> None:
    found = {
        "earlier": [Cost(40, 30, 1500), Cost(36, 28, 1400), Cost(90, 70, 1600)],
        "today": [Cost(20, 15, 1100), Cost(16, 14, 1000), Cost(19, 50, 1200)],
    }
    ct = TimedCT("CT with lungs", 186, found)
    text = page([ct], ("Brain", "Larynx"), 3, "oarflow evaluate benchmark-versions")
    assert "same 2 organs" in text
    assert "## CT with lungs\n\n186 slices." in text
    assert "| earlier | 40.0 (36.0 to 90.0) | 1.00 | 30.0 (28.0 to 70.0) | 1.46 |" in text
    assert "| today | 19.0 (16.0 to 20.0) | 2.11 | 15.0 (14.0 to 50.0) | 1.07 |" in text
