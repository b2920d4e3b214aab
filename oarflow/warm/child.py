"""A process in a group of its own, whose output is read line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("launcher.py")
LINE_BYTES = 1 << 16
JOIN_SECONDS = 1.0
"""How long (s) to wait for the last lines: processes outside the group may hold the pipe open."""

Streams = tuple[int | None, int | None, int | None]
"""Standard input, output and error, as subprocess.Popen takes them. One of the last two is PIPE."""


class Child:
    """A started process. The kernel ends it with the thread that started it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        streams: Streams,
        on_line: Callable[[bytes], None],
    ) -> None:
        """Start it. folder: its current folder. on_line: called in a thread. Raises OSError."""
        stdin, stdout, stderr = streams
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *command],
            env=dict(environment),
            cwd=folder,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._on_line = on_line
        stream = self._process.stdout or self._process.stderr
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process ID, which is the ID of its group too."""
        return self._process.pid

    def over(self) -> bool:
        """Whether the process has ended. It is not reaped, so that its group ID stays reserved."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def write(self, line: bytes) -> None:
        """Write a line to its standard input. A process that has ended does not read it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the group."""
        if self._process.returncode is None:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                return

    def read_rest(self) -> None:
        """Wait until the lines of a process that has ended are read."""
        self._reader.join(JOIN_SECONDS)

    def close(self) -> int:
        """End the group. Returns the exit status; negative: the signal that ended the process."""
        self.kill(signal.SIGKILL)
        status = self._process.wait()
        self.read_rest()
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                return status
        return status

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LINE_BYTES):
                self._on_line(line)
