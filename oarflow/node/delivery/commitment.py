"""Storage commitment, push model (PS3.4 Annex J): the request, and the peer's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from oarflow.node.delivery.outgoing import OutgoingFile

REQUEST = 1
"""Action Type ID of the request."""

SUCCESS, FAILURES = 1, 2
"""Event Type IDs of the report."""

NO_SUCH_EVENT, MISSING_ATTRIBUTE, PROCESSING_FAILURE = 0x0113, 0x0120, 0x0110


@dataclass(frozen=True)
class CommitmentReport:
    """A peer's report of a transaction: SOP Instance UIDs that it keeps and that it lacks."""

    transaction_uid: str
    kept: tuple[str, ...]
    lacking: tuple[str, ...]


def request(association: Association, items: Sequence[OutgoingFile], transaction_uid: str) -> str:
    """Request commitment. Returns why the request failed; empty if the peer accepted it."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = [_reference(item) for item in items]
    try:
        answer, _ = association.send_n_action(
            information, REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
    except (ValueError, RuntimeError, OSError):
        return "the association ended while storage commitment was requested"
    status = answer.get("Status")
    if status is None:
        return "the peer does not answer the request for storage commitment"
    return f"the peer declines storage commitment ({int(status):04X})" if status != 0 else ""


def _reference(item: OutgoingFile) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(str(item.sop_class_uid))
    reference.ReferencedSOPInstanceUID = UID(str(item.sop_instance_uid))
    return reference


def offer(ae: AE) -> None:
    """Let a listener accept reports on associations of the peer, which stays the SCP."""
    ae.add_supported_context(
        StorageCommitmentPushModel,
        [ImplicitVRLittleEndian, ExplicitVRLittleEndian],
        scu_role=True,
        scp_role=True,
    )


def answer_report(
    event: evt.Event, reported: Callable[[CommitmentReport], None]
) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT: the status for the peer, after `reported` has recorded it.

    If `reported` raises, the status is a failure, so that the peer reports again.
    """
    if event.event_type not in (SUCCESS, FAILURES):
        return NO_SUCH_EVENT, None
    report = read_report(event.event_information)
    if report is None:
        return MISSING_ATTRIBUTE, None
    try:
        reported(report)
    except Exception:
        return PROCESSING_FAILURE, None
    return 0x0000, None


def read_report(information: Dataset) -> CommitmentReport | None:
    """A received report; None if it names no transaction."""
    transaction = information.get("TransactionUID")
    if not transaction:
        return None
    return CommitmentReport(
        str(transaction)[:64],
        _instances(information, "ReferencedSOPSequence"),
        _instances(information, "FailedSOPSequence"),
    )


def _instances(information: Dataset, keyword: str) -> tuple[str, ...]:
    items = information.get(keyword) or ()
    found = (item.get("ReferencedSOPInstanceUID") for item in items)
    return tuple(str(uid)[:64] for uid in found if uid)
