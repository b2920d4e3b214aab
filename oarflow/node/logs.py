"""The node's log, on standard error."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from multiprocessing.sharedctypes import RawArray

from oarflow.shown import shown

SPARING_SECONDS = 60.0
"""Seconds between two lines about the same address."""

_SLOTS = 4096


class _OneLine(logging.Formatter):
    """Escapes line breaks and bidirectional overrides in logged values.

    An exception that a library logs becomes its class: its text may quote patient data.
    """

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0] if record.exc_info else None
        if error is None or record.name.startswith("oarflow."):
            return super().format(record)
        first = record.getMessage().partition("\n")[0]
        shortened = {"msg": f"{first} ({error.__name__})", "args": None, "exc_info": None}
        return super().format(logging.makeLogRecord({**vars(record), **shortened}))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = shown(record.message)
        return super().formatMessage(record)


def set_up(level: int) -> None:
    """Log the node at `level`, and libraries only from warnings: they may quote patient data."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("oarflow.node").setLevel(level)


class Sparing:
    """Limits warnings that others can provoke to one a minute for each address.

    The memory has a fixed size: addresses in the same of 4096 slots share the minute. Warnings that
    are left out are counted.
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
        """Log a warning, unless there was one within the last minute. about: the address."""
        slot = zlib.crc32(about.encode()) % _SLOTS
        with _LOCK:
            moment = clock()
            if 0 <= moment - self._spoken[slot] < SPARING_SECONDS:
                self._left_out[slot] += 1
                return
            left_out = self._left_out[slot]
            self._spoken[slot], self._left_out[slot] = moment, 0
        more = f" ({left_out} similar warnings were not logged)" if left_out else ""
        logger.warning(message + "%s", *values, more)


_LOCK = threading.Lock()
"""Guards the slots."""
