"""The application in a warm process: its memory does not grow, and it keeps no CT."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from oarflow.locations import ROOT
from oarflow.node.execution.application import WARM, interpreter
from oarflow.warm.order import Order
from oarflow.warm.process import WarmProcess, WarmProgram
from tests.app.workbench import clean_environment, write_ct, write_models

STUDIES = int(os.environ.get("OARFLOW_STUDIES", "200"))
FIRST = 10
"""Studies after which the process has loaded everything."""


@pytest.fixture
def process() -> Iterator[WarmProcess]:
    command = tuple(part.replace("{python}", interpreter()) for part in WARM)
    program = WarmProgram(command, clean_environment(), ROOT, 2 * STUDIES, merged=True)
    made = WarmProcess(program)
    yield made
    made.close()


@pytest.mark.node
def test_memory_after_two_hundred_studies(process: WarmProcess, tmp_path: Path) -> None:
    """Studies of three sizes in turns. Growth is at most 5 %."""
    models = write_models(tmp_path / "models")
    sizes = (64, 96, 128)
    for size in sizes:
        write_ct(tmp_path / f"ct{size}", seed=str(size), rows=size, columns=size)
    resident, pids = [], set()
    for number in range(STUDIES):
        ct, out = tmp_path / f"ct{sizes[number % len(sizes)]}", tmp_path / "out"
        words = ("segment", str(ct), "-o", str(out), "-m", str(models), "--progress", "none")
        process.begin(Order((*words, "--quiet"), {"SOURCE_DATE_EPOCH": "1"}), lambda _: None)
        while not process.over():
            time.sleep(0.02)
        pids.add(process.pid)
        resident.append(psutil.Process(process.pid).memory_info().rss)
        assert process.finish() in (0, 3)
        shutil.rmtree(out)
    assert len(pids) == 1
    print(f"{resident[0] >> 20}, {resident[FIRST] >> 20}, {resident[-1] >> 20} MiB")  # noqa: T201
    assert max(resident[-len(sizes) :]) <= 1.05 * max(resident[FIRST : FIRST + len(sizes)])
