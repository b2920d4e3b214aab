"""Log lines about what a transaction did: logged when it is committed, and never otherwise."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

LOGGER = logging.getLogger(__name__)

_KEY = "oarflow_lines"


def say(session: Session, level: int, message: str, *values: object) -> None:
    """Log this once the session's transaction is committed."""
    session.info.setdefault(_KEY, []).append((level, message, values))


def said(session: Session) -> None:
    """The transaction is committed: log what was to be said of it."""
    for level, message, values in session.info.pop(_KEY, ()):
        LOGGER.log(level, message, *values)
