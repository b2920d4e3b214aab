"""What the node says, to standard error."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from multiprocessing.sharedctypes import RawArray

from oarflow.shown import shown

SPARING_SECONDS = 60.0
"""Between two lines about the same."""

_SLOTS = 4096


class _OneLine(logging.Formatter):
    """What others send ends no line of the log, and turns none round."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = shown(record.message)
        return super().formatMessage(record)


def set_up(level: int) -> None:
    """Libraries only warn: what they say at length may be of a patient. level: of our own."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("oarflow.node").setLevel(level)


class Sparing:
    """Warnings that others can provoke: at most one a minute about the same address.

    Its memory has a fixed size and is shared by the processes that it is handed to. Addresses that
    fall into the same of 4096 slots share the minute; what is left out is counted.
    """

    def __init__(self) -> None:
        self._spoken = RawArray("d", [-SPARING_SECONDS] * _SLOTS)
        self._left_out = RawArray("L", _SLOTS)

    def warn(
        self,
        logger: logging.Logger,
        about: str,
        message: str,
        *values: object,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Log a warning, unless there was one within the last minute. about: an address."""
        slot = zlib.crc32(about.encode()) % _SLOTS
        with _LOCK:
            moment = clock()
            if 0 <= moment - self._spoken[slot] < SPARING_SECONDS:
                self._left_out[slot] += 1
                return
            left_out = self._left_out[slot]
            self._spoken[slot], self._left_out[slot] = moment, 0
        more = f" ({left_out} more like it were not logged)" if left_out else ""
        logger.warning(message + "%s", *values, more)


_LOCK = threading.Lock()
"""Of this process; two processes may both speak in the same instant."""
