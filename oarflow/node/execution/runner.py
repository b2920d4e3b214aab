"""Runs the application as a process group, within its limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil

from oarflow.locations import ROOT
from oarflow.node.execution.order import STOP, End, RunOrder, RunOutcome

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL."""

LOG_NAME = "application.log"
LOG_BYTES = 1 << 20
LINE_BYTES = 1 << 16

LAUNCHER = Path(__file__).with_name("launcher.py")
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
)

Report = Callable[[dict[str, Any]], None]


def run(order: RunOrder, report: Report) -> RunOutcome:
    """Run the application to its end. report: called with its progress, as a heartbeat."""
    workspace = Path(order.workspace)
    output = workspace / f"out-{uuid.uuid4().hex[:12]}"
    try:
        output.mkdir(parents=True)
        process = _start(order, output)
    except OSError:
        return RunOutcome(order.job_id, order.token, End.NOT_STARTED, str(output))
    listener = _ProgressReader(process.stderr, workspace / LOG_NAME)
    watch = _Watch(order, process, listener, report)
    try:
        end = watch.until_over()
    finally:
        _kill_group(process, signal.SIGKILL)
        status = process.wait()
        listener.join()
    if end is End.EXITED and status < 0:
        end = End.SIGNALLED
    return RunOutcome(
        order.job_id,
        order.token,
        end,
        str(output),
        abs(status),
        time.monotonic() - watch.started,
        watch.peak_bytes,
    )


def _start(order: RunOrder, output: Path) -> subprocess.Popen[bytes]:
    command = [part.replace("{output}", str(output)) for part in order.command]
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *command],
        env=inherited | order.environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class _ProgressReader:
    """Reads the application's standard error: keeps progress, and logs the rest up to a limit."""

    def __init__(self, stream: IO[bytes] | None, log: Path) -> None:
        assert stream is not None
        self._stream = stream
        self._log = log
        self.progress: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, not forever: processes outside the group may hold the pipe open."""
        self._thread.join(1.0)

    def _read(self) -> None:
        left = LOG_BYTES
        with self._log.open("wb") as log:
            while line := self._stream.readline(LINE_BYTES):
                event = _event(line)
                if event is not None:
                    self._follow(event)
                elif left > 0:
                    left -= log.write(line[:left])

    def _follow(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "stage":
            self.progress = {"stage": str(event.get("stage"))[:64]}
        elif kind == "slices":
            self.progress = {"stage": "read", **_counts(event, "done", "total")}
        elif kind == "organ":
            self.progress = {
                "stage": "organs",
                "organ": str(event.get("organ"))[:64],
                "state": str(event.get("state"))[:16],
                **_counts(event, "number", "total"),
            }


def _counts(event: dict[str, Any], *names: str) -> dict[str, int]:
    return {name: value for name in names if isinstance(value := event.get(name), int)}


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


class _Watch:
    """Watches the limits of a running process."""

    def __init__(
        self,
        order: RunOrder,
        process: subprocess.Popen[bytes],
        listener: _ProgressReader,
        report: Report,
    ) -> None:
        self._order, self._process, self._listener = order, process, listener
        self._report = report
        self._stop = Path(order.workspace) / STOP
        self.started = time.monotonic()
        self.peak_bytes = 0

    def until_over(self) -> End:
        """Wait for the end of the process, or end it at a limit. It is not reaped yet."""
        reported, said = -self._order.heartbeat_seconds, {"": None}
        while not _over(self._process.pid):
            seconds = time.monotonic() - self.started
            progress = self._listener.progress
            if seconds - reported >= self._order.heartbeat_seconds or progress != said:
                self._report(progress)
                reported, said = seconds, progress
            limit = self._exceeded(seconds)
            if limit is not None:
                return limit
            time.sleep(POLL_SECONDS)
        return End.EXITED

    def _exceeded(self, seconds: float) -> End | None:
        if self._stop.exists():
            self._terminate()
            return End.STOPPED
        if seconds > self._order.time_limit_seconds:
            self._terminate()
            return End.TIME_LIMIT
        used = resident_bytes(self._process.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        if self._order.memory_bytes is not None and used > self._order.memory_bytes:
            _kill_group(self._process, signal.SIGKILL)
            return End.MEMORY_LIMIT
        return None

    def _terminate(self) -> None:
        _kill_group(self._process, signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and not _over(self._process.pid):
            time.sleep(POLL_SECONDS)


def _over(pid: int) -> bool:
    """Whether the process has ended. It is not reaped, so that its group ID stays reserved."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants, in bytes."""
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for one in family:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total
