"""What the node says, to standard error."""

from __future__ import annotations

import logging

from oarflow.shown import shown


class _OneLine(logging.Formatter):
    """What others send ends no line of the log, and turns none round."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = shown(record.message)
        return super().formatMessage(record)


def set_up(level: int) -> None:
    """Libraries only warn: what they say at length may be of a patient. level: of our own."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("service").setLevel(level)
