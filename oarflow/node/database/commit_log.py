"""Log lines about what a transaction did: logged when it is committed, and never otherwise."""

from __future__ import annotations

import logging

from sqlalchemy import event
from sqlalchemy.orm import Session

LOGGER = logging.getLogger(__name__)

_KEY = "oarflow_lines"


def log_on_commit(session: Session, level: int, message: str, *values: object) -> None:
    """Log this once the session's transaction is committed. session: of `Database.write`."""
    session.info.setdefault(_KEY, []).append((level, message, values))


class LoggingSession(Session):
    """A session that logs what was to be said of its transaction."""


@event.listens_for(LoggingSession, "after_commit")
def _committed(session: Session) -> None:
    for level, message, values in session.info.pop(_KEY, ()):
        LOGGER.log(level, message, *values)


@event.listens_for(LoggingSession, "after_rollback")
def _rolled_back(session: Session) -> None:
    session.info.pop(_KEY, None)
