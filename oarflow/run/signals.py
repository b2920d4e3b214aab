"""SIGTERM, SIGINT and the time limit end a run at once and leave OUT unchanged.

The SDK's own handlers wait for operators and end with status 1. Therefore the signals are blocked
in every thread, and one thread waits for them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from oarflow.errors import ExitStatus

_POLL_SECONDS = 0.2
_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


class StopOnSignal:
    """A context in which a stopping signal calls `cleanup` and ends the process with 128 + n.

    Enter it on the main thread before other threads exist, such as numpy's: they inherit the
    blocked signals. A thread that does not block them would receive a signal with its default
    effect: the process ends without cleanup, or the first process of a container ignores it.
    cleanup: returns whether there was something to stop; if not, the run ends normally.
    deadline: time.monotonic() after which the run ends as if terminated; None for never.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.cleanup: Callable[[], bool] = lambda: True
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)
        self._before: set[signal.Signals | int] = set()

    def __enter__(self) -> StopOnSignal:
        self._before = set(signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def _wait(self) -> None:
        while not self._done.is_set():
            received = signal.sigtimedwait(_STOPPING, _POLL_SECONDS)
            # After SIGSTOP and SIGCONT, Python returns a record without a signal.
            number = 0 if received is None else received.si_signo
            if number in _STOPPING and self.cleanup():
                os._exit(128 + number)
            if self.deadline is not None and time.monotonic() > self.deadline:
                self._give_up()

    def _give_up(self) -> None:
        self.deadline = None
        if self.cleanup():
            sys.stderr.write("oarflow: TIME_LIMIT: the run took longer than run_seconds\n")
            sys.stderr.flush()
            os._exit(ExitStatus.TERMINATED)
