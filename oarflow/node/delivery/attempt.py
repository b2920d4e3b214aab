"""One attempt at one delivery."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid
from sqlalchemy.orm import Session

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import deliveries
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.database.deliveries import DeliveryState
from oarflow.node.database.models import Job, JobDelivery, Step, now
from oarflow.node.delivery import commitment, refusal
from oarflow.node.delivery.dicom import CommitmentRequest, DicomTransport
from oarflow.node.delivery.folder import FolderTransport
from oarflow.node.delivery.outgoing import (
    Altered,
    OutgoingFile,
    SendResult,
    SendVerdict,
    Transport,
    outgoing_file,
    outgoing_files,
)
from oarflow.node.delivery.pauses import pause_after
from oarflow.node.delivery.planning import REFUSAL, read_result
from oarflow.node.delivery.stow import StowTransport
from oarflow.node.settings.delivery import Destination
from oarflow.node.states import State

LOGGER = logging.getLogger(__name__)

REFUSALS = "refusals"
"""Folder below the storage folder for the PDFs with reasons of refusals."""


@dataclass(frozen=True)
class _Pending:
    """open: objects to send now. there: objects that the destination has already."""

    open: tuple[OutgoingFile, ...]
    there: tuple[OutgoingFile, ...]


class Attempt:
    """Sends the objects that a claimed delivery still lacks."""

    def __init__(self, context: NodeContext, delivery_id: int, token: str) -> None:
        self._context = context
        self._database = context.database
        self._id = delivery_id
        self._token = token

    def make(self) -> None:
        """Send, and record the outcome. Database errors pass through; the claim then expires."""
        prepared = self._prepare()
        if prepared is not None:
            destination, load, transaction = prepared
            transport = self._transport(destination, transaction, load.there)
            outcomes = []
            if load.open or (load.there and isinstance(transport, DicomTransport)):
                for outcome in transport.send(load.open):
                    self._note(load.open, outcome)
                    outcomes.append(outcome)
            self._conclude(outcomes, transport, destination)

    def _prepare(self) -> tuple[Destination, _Pending, str] | None:
        """The objects to send, and the transaction UID of the commitment, recorded beforehand."""
        with self._database.write() as session:
            delivery = deliveries.claimed(session, self._id, self._token)
            if delivery is None:
                return None
            destination = self._context.settings.delivery.destinations.get(delivery.destination)
            if destination is None:
                deliveries.settle(
                    session,
                    delivery,
                    DeliveryState.DEAD_LETTER,
                    "the settings no longer have this destination",
                )
                return None
            try:
                load = self._load(delivery, destination)
            except Altered as altered:
                deliveries.settle(session, delivery, DeliveryState.DEAD_LETTER, str(altered))
                return None
            transaction = str(generate_uid(prefix=None))
            delivery.transaction_uid, delivery.commitment = transaction, ""
            return destination, load, transaction

    def _load(self, delivery: JobDelivery, destination: Destination) -> _Pending:
        """The objects to send. Raises Altered, also if the application wrote none of them."""
        job = delivery.job
        root = self._context.settings.storage.root
        if delivery.kinds == [REFUSAL]:
            found: tuple[OutgoingFile, ...] = (refusal_file(root, job),)
        else:
            items = outgoing_files(root / job.output, read_result(root, job))
            found = _of_kinds(items, delivery.kinds)
            if not found:
                # The settings may have changed since.
                found = _of_kinds(items, destination.objects)
                delivery.kinds = [item.kind for item in found] or [*destination.objects]
            if not found:
                raise Altered(f"the application wrote none of {', '.join(destination.objects)}")
        there = tuple(p for p in found if delivery.sent.get(p.key) == p.sha256)
        return _Pending(tuple(p for p in found if p not in there), there)

    def _transport(
        self, destination: Destination, transaction: str, there: tuple[OutgoingFile, ...]
    ) -> Transport:
        if destination.kind == "folder":
            return FolderTransport(destination)
        if destination.kind == "dicomweb":
            return StowTransport(destination)
        settings = self._context.settings
        title = settings.delivery.ae_title or settings.listener.ae_title
        asking = (
            CommitmentRequest(transaction, there, self._reported)
            if destination.commitment
            else None
        )
        return DicomTransport(destination, title, asking)

    def _reported(self, report: commitment.CommitmentReport) -> None:
        with self._database.write() as session:
            deliveries.committed(
                session,
                report.transaction_uid,
                report.kept,
                report.lacking,
                partial(pause_after, retry=self._context.settings.delivery.retry),
            )

    def _note(self, items: tuple[OutgoingFile, ...], outcome: SendResult) -> None:
        """Record a stored object at once, so that it is not sent again after a crash."""
        if outcome.verdict is not SendVerdict.STORED:
            return
        if outcome.warned:
            self._warn(items, outcome)
        sha256 = next(item.sha256 for item in items if item.key == outcome.key)
        with self._database.write() as session:
            delivery = deliveries.claimed(session, self._id, self._token)
            if delivery is not None:
                deliveries.stored(session, delivery, outcome.key, sha256)

    def _warn(self, items: tuple[OutgoingFile, ...], outcome: SendResult) -> None:
        """Record a step and a log line for an object that the peer stored with a warning."""
        kind = next(item.kind for item in items if item.key == outcome.key)
        with self._database.write() as session:
            delivery = deliveries.claimed(session, self._id, self._token)
            if delivery is None:
                return
            job, key = delivery.job, delivery.job.key
            words = f"{delivery.destination}: {kind} {outcome.reason}"
            session.add(Step(job=job, before=job.state, after=job.state, reason=words))
        LOGGER.warning("job %s to %s", key, words)

    def _conclude(
        self, outcomes: list[SendResult], transport: Transport, destination: Destination
    ) -> None:
        failed = [outcome for outcome in outcomes if outcome.verdict is not SendVerdict.STORED]
        with self._database.write() as session:
            delivery = deliveries.claimed(session, self._id, self._token)
            if delivery is None:
                return
            if failed:
                self._wait(session, delivery, failed)
            elif transport.asked and delivery.commitment != "kept" and destination.kind == "dicom":
                until = now() + timedelta(seconds=destination.commitment_seconds)
                deliveries.await_report(session, delivery, until)
            else:
                kept = delivery.commitment == "kept"
                words = [deliveries.KEPT if kept else "delivered"]
                if transport.not_asked and not kept:
                    words.append(transport.not_asked)
                    key, name = delivery.job.key, delivery.destination
                    message = "job %s to %s: %s"
                    log_on_commit(session, logging.WARNING, message, key, name, transport.not_asked)
                words += sorted({outcome.reason for outcome in outcomes if outcome.warned})
                deliveries.settle(session, delivery, DeliveryState.DELIVERED, "; ".join(words))

    def _wait(self, session: Session, delivery: JobDelivery, failed: list[SendResult]) -> None:
        lasting = [outcome for outcome in failed if outcome.verdict is SendVerdict.REFUSED]
        reason = (lasting or failed)[0].reason
        delivery.attempts += 1
        retry = self._context.settings.delivery.retry
        pause = pause_after(delivery.attempts, retry, longest=bool(lasting))
        if pause is None:
            deliveries.settle(session, delivery, DeliveryState.DEAD_LETTER, reason)
            return
        deliveries.wait(session, delivery, now() + pause, reason)


def _of_kinds(items: Iterable[OutgoingFile], kinds: Iterable[str]) -> tuple[OutgoingFile, ...]:
    listed = list(items)
    return tuple(item for kind in kinds for item in listed if item.kind == kind)


def refusal_file(root: Path, job: Job) -> OutgoingFile:
    """The PDF with the reason of a refusal, made once. Raises Altered."""
    target = root / REFUSALS / f"{job.key}-{job.version}.dcm"
    if not target.exists():
        _make_refusal(root, job, target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return outgoing_file(target, "ENCAPSULATED_PDF", digest)


def _make_refusal(root: Path, job: Job, target: Path) -> None:
    images = (root / instance.path for instance in job.series.instances if not instance.deleted_at)
    image = next((path for path in images if path.exists()), None)
    if image is None:
        raise Altered("the images are deleted, so the PDF has no patient and study")
    epoch = job.epoch or int(job.created_at.timestamp())
    reasons = [step.reason for step in job.steps if step.after is State.REFUSED] or [job.reason]
    study = refusal.RefusedStudy(job.key, epoch, job.refusal or None, reasons[-1], image)
    report = root / job.output / "report.pdf"
    pdf = report.read_bytes() if job.output and report.is_file() else refusal.reason_page(study)
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_suffix(".part")
    try:
        refusal.encapsulate(study, pdf, hidden)
    except (OSError, InvalidDicomError, ValueError) as error:
        raise Altered("the PDF with the reason could not be written") from error
    hidden.rename(target)
