"""The housekeeper: deletes files whose time is over, and records that in their rows."""

from __future__ import annotations

import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import Database, deliveries
from oarflow.node.database.models import Instance, Job, Series, now
from oarflow.node.delivery.attempt import REFUSALS
from oarflow.node.execution.workspace import INPUT, job_folder
from oarflow.node.housekeeping.ages import Ages
from oarflow.node.states import State

LOGGER = logging.getLogger(__name__)

GIGABYTE = 1 << 30

ENDED = frozenset({State.REFUSED, State.FAILED, State.CANCELLED})
"""States that end a job without delivery. A dead letter may still be sent."""


class Housekeeper(Worker):
    """The part of the node that deletes files."""

    name = "housekeeping"

    tick_limit_seconds = 3600.0
    """One tick (s) may delete many files."""

    def __init__(self, context: NodeContext, ages: Ages | None = None) -> None:
        self._settings = context.settings.housekeeping
        super().__init__(self._settings.every_minutes * 60)
        self._root = context.settings.storage.root
        self._database: Database = context.database
        self._over = False
        self._ages = ages or Ages(self._database)

    def trouble(self) -> str | None:
        over = "the images exceed housekeeping.quota_gb, and none of them may be deleted yet"
        return super().trouble() or (over if self._over else None)

    def tick(self) -> None:
        """Delete files that are due; above the quota, also the images delivered longest ago."""
        if not self._ages.look():
            LOGGER.warning(
                "the clock jumped, or the node was stopped: that time does not age files"
            )
        for series_id in self._with_images():
            self._clear(series_id, early=False)
        self._results()
        self._over = self._exceeds()
        for series_id in self._with_images() if self._over else ():
            self._clear(series_id, early=True)
            self._over = self._exceeds()
            if not self._over:
                break

    def _with_images(self) -> list[int]:
        """Series with images, ordered by the time of their jobs' last step."""
        with self._database.read() as session:
            rows = session.execute(
                select(Series.id)
                .outerjoin(Job, Job.series_id == Series.id)
                .where(
                    select(Instance.id)
                    .where(Instance.series_id == Series.id, Instance.deleted_at.is_(None))
                    .exists()
                )
                .group_by(Series.id, Series.last_received_at)
                .order_by(func.coalesce(func.max(Job.state_at), Series.last_received_at))
            )
            return [row[0] for row in rows]

    def _clear(self, series_id: int, *, early: bool) -> None:
        """Delete a series' images. early: above the quota, before their time is over."""
        with self._database.write() as session:
            # The receiver takes the same lock for a further instance of the series.
            series = session.get_one(Series, series_id, with_for_update=True)
            if not self._may_go(series, early=early):
                return
            for instance in series.instances:
                if instance.deleted_at is None:
                    (self._root / instance.path).unlink(missing_ok=True)
                    instance.deleted_at = now()
            for job in series.jobs:
                for images in job_folder(self._root, job.id).glob(f"*/{INPUT}"):
                    shutil.rmtree(images, ignore_errors=True)
            whose = f"job {series.jobs[-1].key}" if series.jobs else f"series {series.id}"
        LOGGER.info("the images of %s are deleted%s", whose, " (quota)" if early else "")

    def _may_go(self, series: Series, *, early: bool) -> bool:
        listed = list(series.jobs)
        if early:
            return all(_arrived(job) for job in listed) and bool(listed)
        if not listed:
            days = self._settings.others_days
            return days is not None and self._older(series.last_received_at, days)
        return all(self._over_for(job) for job in listed)

    def _over_for(self, job: Job) -> bool:
        """Whether a job no longer needs its images."""
        if _arrived(job):
            hours = self._settings.images_hours
            return hours is not None and self._older(job.state_at, hours / 24)
        if job.state is State.DELIVERED:
            days = self._settings.undelivered_days
            return days is not None and self._older(job.state_at, days)
        return job.state in ENDED and self._ended_long_ago(job)

    def _ended_long_ago(self, job: Job) -> bool:
        days = self._settings.ended_days
        return days is not None and self._older(job.state_at, days)

    def _older(self, since: datetime, days: float) -> bool:
        return self._ages.of(since) >= timedelta(days=days)

    def _results(self) -> None:
        settled = select(Job).where(Job.output != "", Job.state.in_({State.DELIVERED, *ENDED}))
        with self._database.read() as session:
            old = [job.id for job in session.scalars(settled) if self._old(job)]
        for job_id in old:
            with self._database.write() as session:
                job = session.get_one(Job, job_id, with_for_update=True)
                if not self._old(job):
                    continue
                shutil.rmtree(job_folder(self._root, job.id), ignore_errors=True)
                (self._root / REFUSALS / f"{job.key}-{job.version}.dcm").unlink(missing_ok=True)
                job.output = ""
            LOGGER.info("the results of job %s are deleted", job.key)

    def _old(self, job: Job) -> bool:
        """Whether a job's results may be deleted. Results that were not delivered stay."""
        days = self._settings.results_days
        if _arrived(job) and days is not None:
            return self._older(job.state_at, days)
        return job.state in ENDED and self._ended_long_ago(job)

    def _exceeds(self) -> bool:
        quota = self._settings.quota_gb
        if quota is None:
            return False
        with self._database.read() as session:
            return _kept_bytes(session) > quota * GIGABYTE


def _arrived(job: Job) -> bool:
    """Whether the job was delivered to at least one destination, and to all of its own."""
    last = deliveries.newest(job)
    return job.state is State.DELIVERED and bool(last) and all(row.sent for row in last)


def _kept_bytes(session: Session) -> int:
    kept = select(func.coalesce(func.sum(Instance.size), 0)).where(Instance.deleted_at.is_(None))
    return int(session.scalar(kept) or 0)


def images_there(job: Job, root: Path) -> bool:
    """Whether the job's images are on disk, so that it can run again."""
    instances = job.series.instances
    return bool(instances) and all(
        one.deleted_at is None and (root / one.path).is_file() for one in instances
    )
