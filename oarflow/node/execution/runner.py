"""Runs the application for one study, within its limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil

from oarflow.locations import ROOT
from oarflow.node.execution import warm_application
from oarflow.node.execution.order import STOP, End, RunOrder, RunOutcome
from oarflow.warm.child import Child

POLL_SECONDS = 0.2
"""How often (s) limits are checked."""
END_SECONDS = 0.02
"""How often (s) is checked whether the application has ended."""
GRACE_SECONDS = 5.0
"""Seconds between SIGTERM and SIGKILL."""

LOG_NAME = "application.log"
LOG_BYTES = 1 << 20

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


class Application(Protocol):
    """The application at work on one study."""

    @property
    def pid(self) -> int: ...

    def over(self) -> bool: ...

    def kill(self, number: signal.Signals) -> None: ...

    def finish(self) -> int:
        """End what is left. Returns the exit status; negative: the signal that ended it."""


def run(order: RunOrder, report: Report) -> RunOutcome:
    """Run the application to its end. report: called with its progress, as a heartbeat."""
    workspace = Path(order.workspace)
    output = workspace / f"out-{uuid.uuid4().hex[:12]}"
    if (workspace / STOP).exists():
        return RunOutcome(order.job_id, order.token, End.STOPPED, str(output))
    try:
        output.mkdir(parents=True)
        with closing(_Output(workspace / LOG_NAME)) as spoken:
            application = _start(order, output, spoken)
            watch = _Watch(order, application, spoken, report)
            try:
                end = watch.until_over()
            finally:
                status = application.finish()
    except OSError:
        return RunOutcome(order.job_id, order.token, End.NOT_STARTED, str(output))
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


def _start(order: RunOrder, output: Path, spoken: _Output) -> Application:
    """Start the application, in a warm process if the order has one. Raises OSError."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    if order.warm is not None:
        return warm_application.begin(order, order.warm, inherited, output, spoken.take)
    return _OwnProcess(order, inherited | order.environment, output, spoken)


class _OwnProcess(Child):
    """The application as a process for one study."""

    def __init__(
        self, order: RunOrder, environment: dict[str, str], output: Path, spoken: _Output
    ) -> None:
        command = [part.replace("{output}", str(output)) for part in order.command]
        streams = (subprocess.DEVNULL, subprocess.DEVNULL, subprocess.PIPE)
        super().__init__(command, environment, ROOT, streams, spoken.take)

    def finish(self) -> int:
        """End what is left of the process group."""
        return self.close()


class _Output:
    """What the application writes: its progress, and other lines for the log up to a limit."""

    def __init__(self, log: Path) -> None:
        """Raises OSError."""
        self.progress: dict[str, Any] = {}
        self._log = log.open("wb")
        self._left = LOG_BYTES

    def take(self, line: bytes) -> None:
        """Keep a line."""
        event = _event(line)
        if event is not None:
            self._follow(event)
        elif self._left > 0 and line.strip():
            with suppress(ValueError):  # a process outside the group writes after the end
                self._left -= self._log.write(line[: self._left])

    def close(self) -> None:
        """Close the log."""
        self._log.close()

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
    """Watches the limits of an application at work."""

    def __init__(
        self,
        order: RunOrder,
        application: Application,
        spoken: _Output,
        report: Report,
    ) -> None:
        self._order, self._application, self._spoken = order, application, spoken
        self._report = report
        self._stop = Path(order.workspace) / STOP
        self.started = time.monotonic()
        self.peak_bytes = 0

    def until_over(self) -> End:
        """Wait for the end of the application, or end it at a limit."""
        reported, said = -self._order.heartbeat_seconds, {"": None}
        while not self._application.over():
            seconds = time.monotonic() - self.started
            progress = self._spoken.progress
            if seconds - reported >= self._order.heartbeat_seconds or progress != said:
                self._report(progress)
                reported, said = seconds, progress
            limit = self._exceeded(seconds)
            if limit is not None:
                return limit
            self._wait()
        return End.EXITED

    def _wait(self) -> None:
        """Wait until the limits are due, or until the end of the application."""
        due = time.monotonic() + POLL_SECONDS
        while time.monotonic() < due and not self._application.over():
            time.sleep(END_SECONDS)

    def _exceeded(self, seconds: float) -> End | None:
        if self._stop.exists():
            self._terminate()
            return End.STOPPED
        if seconds > self._order.time_limit_seconds:
            self._terminate()
            return End.TIME_LIMIT
        used = resident_bytes(self._application.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        if self._order.memory_bytes is not None and used > self._order.memory_bytes:
            self._application.kill(signal.SIGKILL)
            return End.MEMORY_LIMIT
        return None

    def _terminate(self) -> None:
        self._application.kill(signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and not self._application.over():
            time.sleep(POLL_SECONDS)


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
