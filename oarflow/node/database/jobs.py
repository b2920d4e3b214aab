"""Jobs as rows: every change of state with its step, and the actions of persons."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database import alarms, leases, template_sets
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.database.models import Job, Step, now
from oarflow.node.states import NotAllowed, State, check

_DOUBTFUL = frozenset({State.FAILED, State.HELD, State.DEAD_LETTER})
"""States in which a job waits for a person."""

NODE = "node"
"""The actor of steps that the node takes alone."""


def resource(job_id: int) -> str:
    """Name of the lease on running a job."""
    return f"run:{job_id}"


def load(session: Session, job_id: int) -> Job:
    """The job, locked until the transaction ends (PostgreSQL). Raises LookupError."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise LookupError(f"there is no job {job_id}")
    return job


def by_key(session: Session, key: str) -> Job | None:
    """The job with this key, as in the page's addresses."""
    return session.scalar(select(Job).where(Job.key == key))


def in_state(session: Session, *states: State) -> Sequence[Job]:
    """Jobs in these states, the longest waiting first."""
    return session.scalars(select(Job).where(Job.state.in_(states)).order_by(Job.id)).all()


def move(session: Session, job: Job, after: State, reason: str, actor: str = NODE) -> None:
    """Change a job's state, and record the step. Raises NotAllowed.

    reason: in words, without patient data. A run of the job loses its lease.
    """
    check(job.state, after)
    session.add(Step(job=job, before=job.state, after=after, reason=reason, actor=actor))
    if job.state is State.RUNNING:
        leases.drop(session, resource(job.id))
        job.progress = {}
    if after is State.HELD:
        alarms.raise_one(session, job, "held", reason)
    elif after is State.FAILED:
        alarms.raise_one(session, job, "failed", reason)
    _tell(session, job, after, reason)
    job.state, job.state_at, job.reason = after, now(), reason


def _tell(session: Session, job: Job, after: State, reason: str) -> None:
    """Log a line for the step, with the job's key.

    A delivered job has a line for each destination already.
    """
    if after is State.DELIVERED and job.deliveries:
        return
    again = job.state is State.RUNNING and after is State.QUEUED
    level = logging.WARNING if again or after in _DOUBTFUL else logging.INFO
    log_on_commit(session, level, "job %s is %s: %s", job.key, after, reason)


def create(session: Session, series_id: int, version: int, reason: str, actor: str = NODE) -> Job:
    """The job of a new version, with its first step."""
    job = Job(series_id=series_id, version=version, state=State.RECEIVED, reason=reason)
    session.add(job)
    session.add(Step(job=job, before=None, after=State.RECEIVED, reason=reason, actor=actor))
    session.flush()
    _tell(session, job, State.RECEIVED, reason)
    return job


def complete(session: Session, job: Job, digest: str, epoch: int, reason: str) -> None:
    """Queue the job of a complete series.

    digest, epoch and the templates in force now make a repeated run write the same.
    """
    job.digest, job.epoch = digest, epoch
    template_sets.pin(session, job)
    job.attempts, job.exit_status, job.refusal, job.output = 0, None, "", ""
    move(session, job, State.COMPLETE, reason)
    move(session, job, State.QUEUED, "waits for a worker")


def refuse(session: Session, job: Job, code: str, reason: str) -> None:
    """Refuse a job before any run. code: a reason code."""
    job.refusal = code
    move(session, job, State.REFUSED, reason)


def begin(session: Session, job: Job, owner: str) -> str:
    """Record the start of a run. Returns the token that the run's outcome needs."""
    move(session, job, State.RUNNING, f"attempt {job.attempts + 1}")
    job.attempts += 1
    return leases.take(session, resource(job.id), owner)


def running(session: Session, job_id: int, token: str) -> Job | None:
    """The job, if this run is still valid."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state is not State.RUNNING:
        return None
    return job if leases.held(session, resource(job_id), token) else None


def progressed(session: Session, job_id: int, token: str, progress: dict[str, Any]) -> bool:
    """Record a run's heartbeat and progress. False: the run is no longer valid."""
    if not leases.beat(session, resource(job_id), token):
        return False
    job = session.get(Job, job_id)
    if job is not None and progress:
        job.progress = progress
    return True


_RETRY = (State.REFUSED, State.FAILED, State.HELD, State.SEGMENTED, State.CANCELLED)


def can_retry(job: Job) -> bool:
    """Whether the job may run again, because none of its contours were delivered."""
    return job.state in _RETRY or _told(job)


def _told(job: Job) -> bool:
    """Whether only the reason of a refusal was delivered, and no later version exists."""
    newest = job.version == max(one.version for one in job.series.jobs)
    return job.state is State.DELIVERED and bool(job.refusal) and newest


def retry(session: Session, job: Job, actor: str, reason: str = "asked to run again") -> None:
    """Run a job again, with the templates in force now. Raises NotAllowed.

    A delivered job never restarts. If only the reason of its refusal was delivered, a new version
    is judged and run.
    """
    if not can_retry(job):
        raise NotAllowed(job.state, State.QUEUED)
    if _told(job):
        create(session, job.series_id, job.version + 1, reason, actor)
        return
    job.attempts, job.exit_status, job.refusal, job.output = 0, None, "", ""
    job.epoch = job.epoch or int(now().timestamp())
    template_sets.pin(session, job)
    move(session, job, State.QUEUED, reason, actor)


def cancel(session: Session, job: Job, actor: str) -> None:
    """Cancel a job. Raises NotAllowed."""
    move(session, job, State.CANCELLED, "cancelled", actor)
