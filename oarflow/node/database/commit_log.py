"""Log lines about a transaction, logged only when it is committed."""

from __future__ import annotations

import logging

from sqlalchemy import event
from sqlalchemy.orm import Session

LOGGER = logging.getLogger(__name__)

_KEY = "oarflow_lines"


def log_on_commit(session: Session, level: int, message: str, *values: object) -> None:
    """Log this when the transaction is committed. session: from `Database.write`."""
    session.info.setdefault(_KEY, []).append((level, message, values))


class LoggingSession(Session):
    """A session that logs the lines of its transaction at the commit."""


@event.listens_for(LoggingSession, "after_commit")
def _committed(session: Session) -> None:
    for level, message, values in session.info.pop(_KEY, ()):
        LOGGER.log(level, message, *values)


@event.listens_for(LoggingSession, "after_rollback")
def _rolled_back(session: Session) -> None:
    session.info.pop(_KEY, None)
