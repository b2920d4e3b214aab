"""Ages in time in which the node ran.

Housekeeping records the periods in which the node ran and the clock did not jump. Only these
periods count: a jump or a stopped node makes files stay longer, never shorter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select

from oarflow.node.database import Database
from oarflow.node.database.models import Period, Series, now

TOLERANCE = timedelta(hours=1)
"""A clock that differs by more than this has jumped; a shorter stop of the node counts."""


class Ages:
    """Ages of rows. wall: the clock of the rows. steady: a monotonic clock in seconds."""

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
        """Extend the current period. False: the clock has jumped.

        A node without images records nothing, so that a back-up can be restored into it.
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
        """The age of an event at this time."""
        lived = (min(end, self.moment) - max(begin, since) for begin, end in self._periods)
        return sum((one for one in lived if one > timedelta()), timedelta())


def _union(periods: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The periods without overlap; a clock that was set back passes some time twice."""
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(periods):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
