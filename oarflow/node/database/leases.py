"""Leases: the right to work on a job or delivery, kept by heartbeats.

Watch measures silence with its own monotonic clock, so that clocks that jump or differ between
machines do no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database.models import Lease, new_key, now


def take(session: Session, resource: str, owner: str) -> str:
    """Take a lease, also from another owner. Returns the new token; the old one is invalid."""
    drop(session, resource)
    token = new_key()
    session.add(Lease(resource=resource, owner=owner, token=token))
    session.flush()
    return token


def held(session: Session, resource: str, token: str) -> bool:
    """Whether this token still holds the lease."""
    lease = session.get(Lease, resource, with_for_update=True)
    return lease is not None and lease.token == token


def beat(session: Session, resource: str, token: str) -> bool:
    """Record a heartbeat. False: the lease is lost."""
    lease = session.get(Lease, resource, with_for_update=True)
    if lease is None or lease.token != token:
        return False
    lease.beats += 1
    lease.beaten_at = now()
    return True


def drop(session: Session, resource: str) -> None:
    """End a lease of any owner."""
    lease = session.get(Lease, resource, with_for_update=True)
    if lease is not None:
        session.delete(lease)
        session.flush()


def all_leases(session: Session, prefix: str) -> list[Lease]:
    """Leases on resources whose names have this prefix."""
    rows = session.scalars(select(Lease).where(Lease.resource.startswith(prefix, autoescape=True)))
    return list(rows)


class Watch:
    """Finds leases without a heartbeat for too long, by this process's monotonic clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[str, tuple[str, int, float]] = {}

    def lost(self, leases: Iterable[Lease]) -> list[Lease]:
        """Leases whose heartbeat count has not changed for too long."""
        moment = self._clock()
        seen = {}
        found = []
        for lease in leases:
            before = self._seen.get(lease.resource)
            if before is None or before[:2] != (lease.token, lease.beats):
                seen[lease.resource] = (lease.token, lease.beats, moment)
                continue
            seen[lease.resource] = before
            if moment - before[2] > self._seconds:
                found.append(lease)
        self._seen = seen
        return found
