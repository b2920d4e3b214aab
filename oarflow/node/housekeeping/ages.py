"""How old something is, counted in time that the node has lived through.

A clock that jumps by a month makes nothing a month older: housekeeping notes the periods in which
it saw the clock go on as it should, and only those count. What lies between them (a jump, a node
that was off) makes files stay longer, never shorter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select

from oarflow.node.database import Database
from oarflow.node.database.models import Period, Series, now

TOLERANCE = timedelta(hours=1)
"""A clock that is off by more than this has jumped; a node may be away for so long."""


class Ages:
    """wall: the clock of the rows. steady: one that cannot be set, in seconds."""

    def __init__(
        self,
        database: Database,
        wall: Callable[[], datetime] = now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._wall, self._steady = database, wall, steady
        self._seen: float | None = None
        self._periods: list[tuple[datetime, datetime]] = []
        self.moment = wall()

    def look(self) -> bool:
        """Look at the clock, and write down that it was seen. False: it has jumped.

        A node without images writes nothing: into such a one a back-up is restored.
        """
        moment, steady = self._wall(), self._steady()
        passed = timedelta() if self._seen is None else timedelta(seconds=steady - self._seen)
        with self._database.write() as session:
            if session.scalar(select(Series.id).limit(1)) is None:
                return True
            last = session.scalar(select(Period).order_by(Period.id.desc()).limit(1))
            goes_on = last is not None and abs(moment - last.seen_at - passed) <= TOLERANCE
            if last is not None and goes_on:
                last.seen_at = max(moment, last.seen_at)
            else:
                session.add(Period(begun_at=moment, seen_at=moment))
            session.flush()
            self._periods = _union(
                [(one.begun_at, one.seen_at) for one in session.scalars(select(Period))]
            )
        self._seen, self.moment = steady, moment
        return goes_on or last is None

    def of(self, since: datetime) -> timedelta:
        """The age of what happened then."""
        lived = (min(end, self.moment) - max(begin, since) for begin, end in self._periods)
        return sum((one for one in lived if one > timedelta()), timedelta())


def _union(periods: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Without what overlaps: a clock that was set back lives through some time twice."""
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(periods):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
