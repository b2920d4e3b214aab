"""Alarms: rows that are written with what they tell of, and kept until somebody was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database.models import AlarmEntry, Job, now
from oarflow.node.settings.fields import Event

OPEN, GIVEN, GIVEN_UP, NOT_WANTED = "open", "given", "given up", "not wanted"


def raise_one(session: Session, job: Job, event: Event, reason: str, destination: str = "") -> None:
    """Somebody is to be told; in the step's own transaction, so that no crash parts them."""
    session.add(
        AlarmEntry(job=job, event=event, destination=destination, reason=reason, state=OPEN)
    )


def waiting(session: Session) -> Sequence[AlarmEntry]:
    """Those that nobody was told of by every means yet, the oldest first."""
    chosen = select(AlarmEntry).where(AlarmEntry.state == OPEN).order_by(AlarmEntry.id)
    return session.scalars(chosen).all()


def settle(session: Session, entry_id: int, state: str, told: Sequence[str] = ()) -> None:
    """It is at an end. told: the means by which it was given."""
    entry = session.get_one(AlarmEntry, entry_id, with_for_update=True)
    entry.state, entry.told, entry.finished_at = state, [*told], now()


def put_off(session: Session, entry_id: int, until: datetime, told: Sequence[str]) -> None:
    """Some means failed. told: those that did not."""
    entry = session.get_one(AlarmEntry, entry_id, with_for_update=True)
    entry.attempts += 1
    entry.told, entry.next_at = [*told], until
