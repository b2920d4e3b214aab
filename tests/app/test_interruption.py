"""A run that is stopped or killed leaves nothing that a host could take for a result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.workbench import Slow, app, clean_environment, write_models


@pytest.fixture(scope="module")
def slow_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("slow") / "models", Parotid_L=Slow())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def running(ct: Path, slow_models: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that is inside a network."""
    folders = ["-i", str(ct), "-o", str(out), "-m", str(slow_models)]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *folders, "--progress", "json"],
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if '"Parotid_L", "state": "started"' in line:
            break
    time.sleep(0.2)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(10)
    process.stderr.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("existing", [False, True])
def test_a_signal_leaves_out_as_it_was(
    number: int,
    status: int,
    existing: bool,
    out: Path,
    request: pytest.FixtureRequest,
) -> None:
    if existing:
        out.mkdir()
        (out / "mine.txt").write_text("kept")
    process: subprocess.Popen[str] = request.getfixturevalue("running")
    assert any(path.name.startswith(".oarflow-") for path in out.iterdir())
    sent = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == status
    assert time.monotonic() - sent < 3
    if existing:
        assert [path.name for path in out.iterdir()] == ["mine.txt"]
    else:
        assert not out.exists()


def test_after_kill_9_no_result_and_the_next_run_cleans_up(
    running: subprocess.Popen[str], out: Path, ct: Path, models: Path
) -> None:
    running.kill()
    running.wait(10)
    left = [path for path in out.rglob("*") if path.is_file()]
    assert not [path for path in left if path.suffix == ".dcm" or path.name == "result.json"]
    assert app("-i", ct, "-o", out, "-m", models).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["result.json", "rtstruct.dcm"]


def test_a_second_run_into_the_same_folder_is_turned_away(
    running: subprocess.Popen[str], out: Path, ct: Path, models: Path
) -> None:
    ran = app("-i", ct, "-o", out, "-m", models)
    assert ran.returncode == 2
    assert "OUTPUT_IN_USE" in ran.stderr
    assert running.poll() is None
    assert len(list(out.iterdir())) == 1


def test_the_time_limit_ends_the_run(
    ct: Path, slow_models: Path, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text("run_seconds: 1\n")
    folders = ("-i", ct, "-o", out, "-m", slow_models, "-c", tmp_path / "app.yaml")
    ran = app(*folders)
    assert ran.returncode == 143
    assert ran.stderr.startswith("oarflow: TIME_LIMIT")
    assert not out.exists()


def test_a_pause_stops_nothing() -> None:
    """Paused for longer than the waiting thread waits, and continued, a run ends without help."""
    code = """
from oarflow.run.signals import StopOnSignal
with StopOnSignal():
    print("ready", flush=True)
    input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    time.sleep(0.5)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    process.communicate("\n", timeout=30)
    assert process.returncode == 0


def test_no_thread_is_left_that_would_take_a_signal(
    ct: Path, slow_models: Path, tmp_path: Path
) -> None:
    """With several threads of numpy's and torch's, each but the waiting one has both blocked."""
    several = clean_environment(OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    folders = ["-i", str(ct), "-o", str(tmp_path / "out"), "-m", str(slow_models)]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *folders, "--progress", "json"],
        env=several,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if '"Parotid_L", "state": "started"' in line:
            break
    stopping = sum(1 << (number - 1) for number in (signal.SIGTERM, signal.SIGINT))
    status = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/status")]
    blocked = [int(text.split("SigBlk:")[1].split()[0], 16) & stopping for text in status]
    process.terminate()
    assert process.wait(10) == 143
    process.stderr.close()
    assert len(blocked) > 2
    assert sum(mask != stopping for mask in blocked) <= 1
    assert not (tmp_path / "out").exists()
