"""A job's way: every change of state with its step, and what a person can ask for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database import alarms, leases
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.database.models import Job, Step, now
from oarflow.node.states import NotAllowed, State, check

_DOUBTFUL = frozenset({State.FAILED, State.HELD, State.DEAD_LETTER})
"""States that somebody should look at."""

NODE = "node"
"""The actor of every step that no person asked for."""


def resource(job_id: int) -> str:
    """The name of the lease on running a job."""
    return f"run:{job_id}"


def load(session: Session, job_id: int) -> Job:
    """The job, locked until the transaction ends where the database can. Raises LookupError."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        raise LookupError(f"there is no job {job_id}")
    return job


def by_key(session: Session, key: str) -> Job | None:
    """The job of a URL."""
    return session.scalar(select(Job).where(Job.key == key))


def in_state(session: Session, *states: State) -> Sequence[Job]:
    """Jobs that stand there, the longest waiting first."""
    return session.scalars(select(Job).where(Job.state.in_(states)).order_by(Job.id)).all()


def move(session: Session, job: Job, after: State, reason: str, actor: str = NODE) -> None:
    """Take a step and write it down. Raises NotAllowed.

    reason: in words, without patient data. Whoever ran the job loses the lease.
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
    """A line for each step, under the name that the page has for the job.

    What is delivered somewhere has a line for each destination already.
    """
    if after is State.DELIVERED and job.deliveries:
        return
    again = job.state is State.RUNNING and after is State.QUEUED
    level = logging.WARNING if again or after in _DOUBTFUL else logging.INFO
    log_on_commit(session, level, "job %s is %s: %s", job.key, after, reason)


def create(session: Session, series_id: int, version: int, reason: str, actor: str = NODE) -> Job:
    """A new version's job; its first step."""
    job = Job(series_id=series_id, version=version, state=State.RECEIVED, reason=reason)
    session.add(job)
    session.add(Step(job=job, before=None, after=State.RECEIVED, reason=reason, actor=actor))
    session.flush()
    _tell(session, job, State.RECEIVED, reason)
    return job


def complete(session: Session, job: Job, digest: str, epoch: int, reason: str) -> None:
    """The series is complete: fix what makes a repeat the same, and queue it."""
    job.digest, job.epoch = digest, epoch
    job.attempts, job.exit_status, job.refusal, job.output = 0, None, "", ""
    move(session, job, State.COMPLETE, reason)
    move(session, job, State.QUEUED, "waits for a worker")


def refuse(session: Session, job: Job, code: str, reason: str) -> None:
    """Refused before any run. code: a reason code."""
    job.refusal = code
    move(session, job, State.REFUSED, reason)


def begin(session: Session, job: Job, owner: str) -> str:
    """A run starts. Returns its token: only who has it may say how the run ended."""
    move(session, job, State.RUNNING, f"attempt {job.attempts + 1}")
    job.attempts += 1
    return leases.take(session, resource(job.id), owner)


def running(session: Session, job_id: int, token: str) -> Job | None:
    """The job, if this run is still the one that counts."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state is not State.RUNNING:
        return None
    return job if leases.held(session, resource(job_id), token) else None


def progressed(session: Session, job_id: int, token: str, progress: dict[str, Any]) -> bool:
    """A sign of life from a run, with what it is at. False: the run no longer counts."""
    if not leases.beat(session, resource(job_id), token):
        return False
    job = session.get(Job, job_id)
    if job is not None and progress:
        job.progress = progress
    return True


_RETRY = (State.REFUSED, State.FAILED, State.HELD, State.SEGMENTED, State.CANCELLED)


def can_retry(job: Job) -> bool:
    """Whether it may be run again: nothing of its contours was delivered."""
    return job.state in _RETRY or _told(job)


def _told(job: Job) -> bool:
    """Refused, and all that was delivered is why; no later version has replaced it."""
    newest = job.version == max(one.version for one in job.series.jobs)
    return job.state is State.DELIVERED and bool(job.refusal) and newest


def retry(session: Session, job: Job, actor: str, reason: str = "asked to run again") -> None:
    """Run it again. Raises NotAllowed.

    What was delivered is never restarted: where that was a refusal's reason, a new version is
    judged and run in its place.
    """
    if not can_retry(job):
        raise NotAllowed(job.state, State.QUEUED)
    if _told(job):
        create(session, job.series_id, job.version + 1, reason, actor)
        return
    job.attempts, job.exit_status, job.refusal, job.output = 0, None, "", ""
    job.epoch = job.epoch or int(now().timestamp())
    move(session, job, State.QUEUED, reason, actor)


def cancel(session: Session, job: Job, actor: str) -> None:
    """Stop it for good. Raises NotAllowed."""
    move(session, job, State.CANCELLED, "cancelled", actor)
