"""A part of the node that repeats its work in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from oarflow.node.database import faults

LOGGER = logging.getLogger(__name__)

_STOP_SECONDS = 30.0

STUCK_AFTER = 3
"""A tick that takes this many times its limit needs a restart of the node."""


class Worker:
    """Calls tick() every few seconds. Errors of a tick are logged; the next tick tries again."""

    name = "worker"

    tick_limit_seconds = 180.0
    """How long a tick may take (s) before the part counts as hanging."""

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None
        self._began: float | None = None

    def tick(self) -> None:
        """One round of work."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._woken.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current tick."""
        self._stop.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def wake(self) -> None:
        """Begin the next tick at once."""
        self._woken.set()

    def trouble(self) -> str | None:
        """The error of the last tick, or that the current one hangs; None if neither."""
        if self._thread is not None and not self._thread.is_alive() and not self._stop.is_set():
            return "not running"
        lasted = self._lasted()
        if lasted > self.tick_limit_seconds:
            return f"no sign of life for {lasted:.0f} s"
        return self._trouble

    def stuck(self) -> bool:
        """Whether the current tick takes so long that only a restart of the node helps."""
        return self._lasted() > STUCK_AFTER * self.tick_limit_seconds

    def _lasted(self) -> float:
        """Seconds since the current tick began."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began = time.monotonic()
            self.attempt()
            self._began = None
            self._woken.wait(self._every_seconds)
            self._woken.clear()

    def attempt(self) -> None:
        """One tick; its errors become the part's trouble."""
        try:
            self.tick()
            self._trouble = None
        except SQLAlchemyError as error:
            self._report(faults.in_words(error))
        except Exception as error:
            self._report(f"a fault ({type(error).__name__})")
            LOGGER.debug("the fault", exc_info=True)

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble:
            LOGGER.error("%s: %s", self.name, trouble)
        self._trouble = trouble
