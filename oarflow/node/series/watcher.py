"""Judges series that have been quiet for long enough, and queues complete ones.

Quiet time is measured with the monotonic clock since this process last saw the series change. A
clock that jumps or a restart at worst makes the series wait again.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from oarflow.intake.headers import HEADER_TAGS, InstanceHeader, header_of
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import Database, deliveries, jobs, receiving
from oarflow.node.database.models import Instance, Job, Series, now
from oarflow.node.series.completeness import Completeness, Judgement, SeriesContent, judge
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State

LOGGER = logging.getLogger(__name__)

SETTLED_SECONDS = 5.0
"""The shortest quiet time (s) of a series that has all announced instances."""

Signature = tuple[int, int, int]
"""A series' number of instances, ID of the newest one, and number that arrived again."""


class SeriesWatcher(Worker):
    """The part of the node that judges series and queues their jobs."""

    name = "series"

    def __init__(
        self,
        settings: NodeSettings,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(min(1.0, settings.series.quiet_seconds / 4))
        self._settings = settings.series
        self._root = settings.storage.root
        self._database = database
        self._clock = clock
        self._since: dict[int, tuple[Signature, float]] = {}
        self._judged: dict[int, tuple[Signature, Judgement]] = {}

    def tick(self) -> None:
        """Look at every open series once."""
        with self._database.read() as session:
            open_jobs = {job.series_id: job.id for job in jobs.in_state(session, State.RECEIVED)}
            resent = set(session.scalars(select(Series.id).where(Series.resent > 0)))
            signatures = _signatures(session, open_jobs.keys() | resent)
        quiet = self._quiet(signatures)
        for series_id, seconds in quiet.items():
            if series_id in open_jobs:
                self._consider(series_id, open_jobs[series_id], signatures[series_id], seconds)
            elif seconds >= self._settings.quiet_seconds:
                self._came_again(series_id)

    def settle_all(self) -> None:
        """Judge every open series now, because no more instances will arrive."""
        with self._database.read() as session:
            open_jobs = {job.series_id: job.id for job in jobs.in_state(session, State.RECEIVED)}
            signatures = _signatures(session, open_jobs)
        for series_id, job_id in open_jobs.items():
            self._consider(series_id, job_id, signatures[series_id], math.inf)

    def _quiet(self, signatures: dict[int, Signature]) -> dict[int, float]:
        """Seconds since each series last changed."""
        moment = self._clock()
        since = {}
        for series_id, signature in signatures.items():
            before = self._since.get(series_id)
            same = before is not None and before[0] == signature
            since[series_id] = before if same and before else (signature, moment)
        self._since = since
        self._judged = {key: value for key, value in self._judged.items() if key in since}
        return {series_id: moment - start for series_id, (_, start) in since.items()}

    def _consider(self, series_id: int, job_id: int, signature: Signature, quiet: float) -> None:
        """Queue a series, refuse it, or go on waiting."""
        settled = min(self._settings.quiet_seconds, SETTLED_SECONDS)
        if quiet < settled:
            return
        with self._database.read() as session:
            series = session.get_one(Series, series_id)
            announced = series.expected is not None and signature[0] >= series.expected
            if quiet < (settled if announced else self._settings.quiet_seconds):
                return
            instances = list(series.instances)
            key = session.get_one(Job, job_id).key
        judgement = self._judgement(key, series, instances, signature)
        if judgement.verdict is Completeness.LACKING and quiet < self._settings.gap_seconds:
            return
        with self._database.write() as session:
            job = jobs.load(session, job_id)
            if _signatures(session, [series_id])[series_id] != signature:
                return
            if job.state is State.RECEIVED:
                self._conclude(session, job, judgement, instances)

    def _judgement(
        self, key: str, series: Series, instances: Sequence[Instance], signature: Signature
    ) -> Judgement:
        """The verdict on a series; None to go on waiting. key: of the job."""
        before = self._judged.get(series.id)
        if before is not None and before[0] == signature:
            return before[1]
        judgement = judge(
            SeriesContent(
                headers=read_headers(self._root, instances),
                count=len(instances),
                conflicts=sum(instance.conflict for instance in instances),
                deleted=sum(instance.deleted_at is not None for instance in instances),
                expected=series.expected,
            )
        )
        if judgement.verdict is Completeness.LACKING:
            LOGGER.info("job %s waits: %s", key, judgement.reason)
        self._judged[series.id] = (signature, judgement)
        return judgement

    def _conclude(
        self, session: Session, job: Job, judgement: Judgement, instances: Sequence[Instance]
    ) -> None:
        if judgement.verdict is Completeness.COMPLETE:
            jobs.complete(
                session, job, content_digest(instances), int(now().timestamp()), judgement.reason
            )
        else:
            jobs.refuse(session, job, str(judgement.code), judgement.reason)
        job.series.resent = 0

    def _came_again(self, series_id: int) -> None:
        """A series arrived again, unchanged: run a failed job again, or send its result again."""
        with self._database.write() as session:
            series = session.get_one(Series, series_id, with_for_update=True)
            whole = series.resent >= len(series.instances)
            series.resent = 0
            job = receiving.newest_job(session, series_id)
            if job is None or not whole:
                return
            if job.state is State.FAILED:
                jobs.retry(session, job, jobs.NODE, "the series was sent again")
            elif job.state is State.DELIVERED and self._settings.resend_result and job.deliveries:
                deliveries.resend(session, job, jobs.NODE, "the series was sent again")


def _signatures(session: Session, series_ids: Iterable[int]) -> dict[int, Signature]:
    rows = session.execute(
        select(Series.id, func.count(Instance.id), func.max(Instance.id), Series.resent)
        .join(Instance, Instance.series_id == Series.id)
        .where(Series.id.in_(list(series_ids)))
        .group_by(Series.id, Series.resent)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def content_digest(instances: Iterable[Instance]) -> str:
    """SHA-256 of all instances' UIDs and contents, independent of their order."""
    lines = sorted(f"{one.sop_instance_uid} {one.sha256}" for one in instances)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_headers(root: Path, instances: Iterable[Instance]) -> list[InstanceHeader]:
    """Headers of the files; the application later refuses a file that cannot be read."""
    headers = []
    for instance in instances:
        try:
            dataset = dcmread(
                root / instance.path, stop_before_pixels=True, specific_tags=list(HEADER_TAGS)
            )
            headers.append(header_of(dataset, instance.transfer_syntax_uid))
        except (OSError, InvalidDicomError, ValueError):
            continue
    return headers
