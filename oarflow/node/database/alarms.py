"""Alarms as rows, written in the transaction of their cause and kept until they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database.models import AlarmEntry, Job, now
from oarflow.node.settings.fields import Event

OPEN, GIVEN, GIVEN_UP, NOT_WANTED = "open", "given", "given up", "not wanted"


def raise_one(session: Session, job: Job, event: Event, reason: str, destination: str = "") -> None:
    """Add an alarm in the transaction of its cause, so that a crash cannot separate the two."""
    session.add(
        AlarmEntry(job=job, event=event, destination=destination, reason=reason, state=OPEN)
    )


def waiting(session: Session) -> Sequence[AlarmEntry]:
    """Alarms that at least one channel has not sent yet, the oldest first."""
    chosen = select(AlarmEntry).where(AlarmEntry.state == OPEN).order_by(AlarmEntry.id)
    return session.scalars(chosen).all()


def settle(session: Session, entry_id: int, state: str, told: Sequence[str] = ()) -> None:
    """Close an alarm. told: the channels that sent it."""
    entry = session.get_one(AlarmEntry, entry_id, with_for_update=True)
    entry.state, entry.told, entry.finished_at = state, [*told], now()


def put_off(session: Session, entry_id: int, until: datetime, told: Sequence[str]) -> None:
    """Try an alarm again later. told: the channels that sent it."""
    entry = session.get_one(AlarmEntry, entry_id, with_for_update=True)
    entry.attempts += 1
    entry.told, entry.next_at = [*told], until
