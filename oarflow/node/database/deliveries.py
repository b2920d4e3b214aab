"""Deliveries as rows: what each destination is to get of a job, and how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database import alarms, jobs, leases
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.database.models import Job, JobDelivery, Lease, now
from oarflow.node.states import NotAllowed, State


class DeliveryState(StrEnum):
    """The state of a delivery.

    COMMITTING: stored; the peer's storage commitment report is awaited.
    """

    WAITING = "waiting"
    SENDING = "sending"
    COMMITTING = "committing"
    DELIVERED = "delivered"
    DEAD_LETTER = "dead letter"
    CANCELLED = "cancelled"


OPEN = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.COMMITTING)
"""States of deliveries that are not finished."""

KEPT = "stored, and the peer has committed to keep it"

LEASES = "delivery:"
"""Prefix of the names of leases on deliveries."""


def resource(delivery_id: int) -> str:
    """Name of the lease on sending a delivery."""
    return f"{LEASES}{delivery_id}"


def newest(job: Job) -> list[JobDelivery]:
    """The last round of each destination."""
    found: dict[str, JobDelivery] = {}
    for delivery in sorted(job.deliveries, key=lambda row: row.round):
        found[delivery.destination] = delivery
    return list(found.values())


def plan(
    session: Session, job: Job, wanted: Mapping[str, Sequence[str]], reason: str, actor: str
) -> None:
    """Begin the delivery of a job. kinds: of objects, by destination. Raises NotAllowed.

    A job without a destination is delivered at once.
    """
    jobs.move(session, job, State.DELIVERING, reason, actor)
    _rounds(session, job, wanted, {})
    if not wanted:
        jobs.move(session, job, State.DELIVERED, "no rule names a destination for it", actor)


def resend(session: Session, job: Job, actor: str, reason: str = "asked to send again") -> None:
    """Send a delivered job again, or the rest of a dead letter. Raises NotAllowed.

    Objects of a dead letter that a destination has are not sent to it again.
    """
    if job.state not in (State.DELIVERED, State.DEAD_LETTER):
        raise NotAllowed(job.state, State.DELIVERING)
    last = newest(job)
    if job.state is State.DEAD_LETTER:
        last = [row for row in last if row.state != DeliveryState.DELIVERED]
    if not last:
        raise LookupError("it has no destination")
    kept = {row.destination: row.sent for row in last if job.state is State.DEAD_LETTER}
    jobs.move(session, job, State.DELIVERING, reason, actor)
    _rounds(session, job, {row.destination: row.kinds for row in last}, kept)


def _rounds(
    session: Session,
    job: Job,
    wanted: Mapping[str, Sequence[str]],
    sent: Mapping[str, dict[str, str]],
) -> None:
    rounds = {row.destination: row.round for row in newest(job)}
    for destination, kinds in wanted.items():
        session.add(
            JobDelivery(
                job=job,
                destination=destination,
                round=rounds.get(destination, 0) + 1,
                kinds=list(kinds),
                state=DeliveryState.WAITING,
                sent=dict(sent.get(destination, {})),
            )
        )
    session.flush()


def candidates(session: Session, *states: DeliveryState) -> Sequence[JobDelivery]:
    """Deliveries in these states, of jobs under delivery, the longest waiting first."""
    chosen = select(JobDelivery).join(Job).where(Job.state == State.DELIVERING)
    return session.scalars(
        chosen.where(JobDelivery.state.in_(states)).order_by(JobDelivery.id)
    ).all()


def claim(session: Session, delivery_id: int, owner: str) -> str | None:
    """Claim a waiting delivery. Returns a token; None if it is claimed already."""
    delivery = session.get(JobDelivery, delivery_id, with_for_update=True)
    if delivery is None or delivery.state != DeliveryState.WAITING:
        return None
    delivery.state = DeliveryState.SENDING
    return leases.take(session, resource(delivery_id), owner)


def claimed(session: Session, delivery_id: int, token: str) -> JobDelivery | None:
    """The delivery, if this claim is still valid."""
    delivery = session.get(JobDelivery, delivery_id, with_for_update=True)
    if delivery is None or delivery.state != DeliveryState.SENDING:
        return None
    return delivery if leases.held(session, resource(delivery_id), token) else None


def give_up_claims(session: Session, lost: Iterable[Lease]) -> int:
    """Let deliveries wait again whose sender has stopped. Returns how many."""
    count = 0
    for lease in lost:
        delivery = session.get(
            JobDelivery, int(lease.resource.removeprefix(LEASES)), with_for_update=True
        )
        leases.drop(session, lease.resource)
        if delivery is not None and delivery.state == DeliveryState.SENDING:
            delivery.state = DeliveryState.WAITING
            count += 1
    return count


def stored(session: Session, delivery: JobDelivery, key: str, sha256: str) -> None:
    """Record that the destination has stored an object."""
    delivery.sent = {**delivery.sent, key: sha256}
    session.flush()


def settle(session: Session, delivery: JobDelivery, state: DeliveryState, reason: str) -> None:
    """Finish a delivery, and its job if all of its deliveries are finished.

    A dead letter raises an alarm.
    """
    leases.drop(session, resource(delivery.id))
    delivery.state, delivery.reason = state, reason
    delivery.finished_at = None if state in OPEN else now()
    if state is DeliveryState.DEAD_LETTER:
        alarms.raise_one(session, delivery.job, "dead letter", reason, delivery.destination)
    elif state is DeliveryState.DELIVERED:
        message = "job %s is delivered to %s"
        log_on_commit(session, logging.INFO, message, delivery.job.key, delivery.destination)
    session.flush()
    _follow(session, jobs.load(session, delivery.job_id))


def wait(session: Session, delivery: JobDelivery, until: datetime, reason: str) -> None:
    """Record a failed attempt and when the next one is due."""
    at = until.isoformat(timespec="seconds")
    key, name = delivery.job.key, delivery.destination
    log_on_commit(session, logging.WARNING, "job %s to %s: %s; again at %s", key, name, reason, at)
    delivery.next_at = until
    settle(session, delivery, DeliveryState.WAITING, reason)


def await_report(session: Session, delivery: JobDelivery, until: datetime) -> None:
    """Record that all is stored, and wait for the peer's commitment report until then."""
    delivery.commitment, delivery.next_at = "asked", until
    settle(
        session,
        delivery,
        DeliveryState.COMMITTING,
        "stored; waiting for the peer's storage commitment",
    )


def _follow(session: Session, job: Job) -> None:
    if job.state is not State.DELIVERING:
        return
    session.refresh(job, ["deliveries"])
    last = newest(job)
    if any(row.state in OPEN for row in last):
        return
    dead = sorted(row.destination for row in last if row.state == DeliveryState.DEAD_LETTER)
    if dead:
        jobs.move(session, job, State.DEAD_LETTER, f"given up: {', '.join(dead)}")
    else:
        names = ", ".join(sorted(row.destination for row in last))
        jobs.move(session, job, State.DELIVERED, f"delivered to {names}")


def cancel_all(session: Session, job: Job) -> None:
    """Cancel the unfinished deliveries of a cancelled job."""
    for delivery in job.deliveries:
        if delivery.state in OPEN:
            leases.drop(session, resource(delivery.id))
            delivery.state, delivery.finished_at = DeliveryState.CANCELLED, now()


def committed(
    session: Session,
    transaction_uid: str,
    kept: Iterable[str],
    lacking: Iterable[str],
    pause_after: Callable[[int], timedelta | None],
) -> bool:
    """Record a peer's storage commitment report, by SOP Instance UIDs. False: unknown transaction.

    Objects that the peer does not keep are sent again: at once the first time, then after a pause.
    pause_after: the pause by failed attempts; None to give up.
    """
    found = select(JobDelivery).where(JobDelivery.transaction_uid == transaction_uid)
    delivery = session.scalar(found.with_for_update())
    if delivery is None or not transaction_uid:
        return False
    if delivery.state not in (DeliveryState.COMMITTING, DeliveryState.SENDING):
        return True
    missing = (set(delivery.sent) & set(lacking)) | (set(delivery.sent) - set(kept))
    delivery.transaction_uid = ""
    if not missing:
        delivery.commitment = "kept"
        if delivery.state == DeliveryState.COMMITTING:
            settle(session, delivery, DeliveryState.DELIVERED, KEPT)
        return True
    delivery.sent = {key: sha for key, sha in delivery.sent.items() if key not in missing}
    delivery.commitment = "lacking"
    delivery.attempts += 1
    reason = f"the peer reports that it does not keep {len(missing)} of the objects"
    pause = pause_after(delivery.attempts)
    if pause is None:
        settle(session, delivery, DeliveryState.DEAD_LETTER, reason)
    else:
        due = now() + pause if delivery.attempts > 1 else now()
        wait(session, delivery, due, reason)
    return True
