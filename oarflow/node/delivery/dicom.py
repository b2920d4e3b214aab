"""Delivery by C-STORE, with storage commitment if the peer offers it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from oarflow.node.delivery import commitment
from oarflow.node.delivery.outgoing import OutgoingFile, SendResult, SendVerdict
from oarflow.node.delivery.statuses import of_status
from oarflow.node.requesting import associate
from oarflow.node.settings.delivery import DicomDestination
from oarflow.node.settings.fields import ClientTls

MAX_PDU = 131072
"""The longest PDU sent, in bytes: the most that Orthanc and dcmtk accept."""

REPORT_WAIT_SECONDS = 2.0
"""How long (s) an association stays open for a report; most peers report on their own."""

Reported = Callable[[commitment.CommitmentReport], None]


@dataclass(frozen=True)
class _Reply:
    verdict: SendVerdict
    reason: str
    warned: bool = False


def client_context(tls: ClientTls) -> ssl.SSLContext:
    """TLS 1.2 or later by BCP 195, with a check of the peer's certificate.

    Raises OSError and ssl.SSLError for missing and damaged files.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


@dataclass(frozen=True)
class CommitmentRequest:
    """A request for storage commitment.

    transaction_uid: recorded beforehand, since the report may arrive early. earlier: objects that
    the peer got in other attempts. reported: records a report on the same association.
    """

    transaction_uid: str
    earlier: tuple[OutgoingFile, ...] = ()
    reported: Reported | None = None


class DicomTransport:
    """One association for all objects of a job."""

    def __init__(
        self, destination: DicomDestination, ae_title: str, asking: CommitmentRequest | None = None
    ) -> None:
        """asking: None for no commitment."""
        self._to = destination
        self._ae_title = ae_title
        self._asking = asking
        self.asked, self.not_asked = False, ""

    def send(self, items: tuple[OutgoingFile, ...]) -> Iterator[SendResult]:
        """Store all objects, then request commitment to all that the peer has."""
        asking = self._asking
        call = _PeerAssociation(self._to, self._ae_title, asking.reported if asking else None)
        failure = call.open(_contexts(items, commitment=asking is not None))
        if failure is not None:
            yield from (SendResult(p.key, failure.verdict, failure.reason) for p in items)
            return
        try:
            there = list(asking.earlier) if asking else []
            for item in items:
                answer = call.store(item)
                if answer.verdict is SendVerdict.STORED:
                    there.append(item)
                yield SendResult(item.key, answer.verdict, answer.reason, answer.warned)
            if asking and there and call.commits:
                self.not_asked = call.commit(there, asking.transaction_uid)
                self.asked = not self.not_asked
        finally:
            call.close()


def _contexts(items: tuple[OutgoingFile, ...], *, commitment: bool) -> list[tuple[str, list[str]]]:
    wanted: dict[str, list[str]] = {}
    for item in items:
        syntaxes = wanted.setdefault(str(item.sop_class_uid), [])
        for syntax in (str(item.transfer_syntax_uid), str(ImplicitVRLittleEndian)):
            if syntax not in syntaxes:
                syntaxes.append(syntax)
    contexts = list(wanted.items())
    if commitment:
        contexts.append((str(StorageCommitmentPushModel), [str(ImplicitVRLittleEndian)]))
    return contexts


class _PeerAssociation:
    """An association with the peer, with the peer's answers as results."""

    def __init__(
        self, destination: DicomDestination, ae_title: str, reported: Reported | None
    ) -> None:
        self._to = destination
        self._ae = AE(ae_title=ae_title)
        self._ae.connection_timeout = min(30.0, destination.timeout_seconds)
        self._ae.acse_timeout = destination.timeout_seconds
        self._ae.dimse_timeout = destination.timeout_seconds
        self._ae.network_timeout = destination.timeout_seconds
        self._ae.maximum_pdu_size = MAX_PDU
        self._reported = reported
        self._connected = False
        self._report_came = threading.Event()
        self._association: Association | None = None

    @property
    def commits(self) -> bool:
        """Whether the peer offers storage commitment."""
        assert self._association is not None
        accepted = {context.abstract_syntax for context in self._association.accepted_contexts}
        return StorageCommitmentPushModel in accepted

    def open(self, contexts: list[tuple[str, list[str]]]) -> _Reply | None:
        """Open the association. Returns why that failed, or None."""
        for abstract, syntaxes in contexts:
            self._ae.add_requested_context(abstract, syntaxes)
        try:
            tls = self._tls()
        except (OSError, ssl.SSLError):
            return _Reply(SendVerdict.REFUSED, "a certificate or key of the node cannot be read")
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, self._note_connection)]
        if self._reported is not None:
            handlers.append((evt.EVT_N_EVENT_REPORT, self._handle_report))
        try:
            association = associate(
                self._ae,
                self._to.host,
                self._to.port,
                ae_title=self._to.ae_title,
                handlers=handlers,
                max_pdu=MAX_PDU,
                tls_args=tls,
            )
        except OSError:
            return _Reply(SendVerdict.UNREACHABLE, f"the name {self._to.host} cannot be resolved")
        if association.is_established:
            self._association = association
            return None
        return self._why_not(association)

    def _tls(self) -> Any:
        if self._to.tls is None:
            return None
        # None for no check of the name; pynetdicom's annotation allows only strings.
        name = self._to.host if self._to.tls.check_hostname else None
        return client_context(self._to.tls), name

    def _note_connection(self, _: evt.Event) -> None:
        self._connected = True

    def _handle_report(self, event: evt.Event) -> tuple[int, None]:
        assert self._reported is not None
        answer = commitment.answer_report(event, self._reported)
        self._report_came.set()
        return answer

    def _why_not(self, association: Association) -> _Reply:
        if association.is_rejected:
            answer = association.acceptor.primitive
            words = getattr(answer, "reason_str", "no reason given")
            lasting = getattr(answer, "result", 1) == 1
            verdict = SendVerdict.REFUSED if lasting else SendVerdict.UNREACHABLE
            return _Reply(verdict, f"the peer rejects the association: {words}")
        if not self._connected:
            means = "by TCP and TLS" if self._to.tls else "by TCP"
            return _Reply(SendVerdict.UNREACHABLE, f"the peer cannot be reached {means}")
        if not association.accepted_contexts and association.rejected_contexts:
            return _Reply(SendVerdict.REFUSED, "the peer accepts none of the objects' SOP classes")
        return _Reply(SendVerdict.UNREACHABLE, "the peer does not answer the association request")

    def store(self, item: OutgoingFile) -> _Reply:
        """Store one object."""
        association = self._association
        assert association is not None
        if not association.is_established:
            return _Reply(
                SendVerdict.UNREACHABLE, "the peer ended the association before this object"
            )
        accepted = {context.abstract_syntax for context in association.accepted_contexts}
        if item.sop_class_uid not in accepted:
            return _Reply(
                SendVerdict.REFUSED, f"the peer does not accept the SOP class of the {item.kind}"
            )
        try:
            status = association.send_c_store(item.path)
        except ValueError:
            return _Reply(
                SendVerdict.REFUSED,
                f"the peer does not accept the transfer syntax of the {item.kind}",
            )
        except (OSError, RuntimeError):
            return _Reply(SendVerdict.UNREACHABLE, "the association ended while sending")
        return _answer_of(status)

    def commit(self, items: list[OutgoingFile], transaction_uid: str) -> str:
        """Request storage commitment, and wait shortly for a report on this association.

        Returns why the request failed; empty if the peer accepted it.
        """
        association = self._association
        assert association is not None
        if not association.is_established:
            return "the association ended before storage commitment was requested"
        refusal = commitment.request(association, items, transaction_uid)
        if not refusal:
            self._report_came.wait(REPORT_WAIT_SECONDS)
        return refusal

    def close(self) -> None:
        """Release the association."""
        association = self._association
        if association is not None and association.is_established:
            association.release()


def _answer_of(status: Dataset) -> _Reply:
    code = status.get("Status")
    if code is None:
        return _Reply(
            SendVerdict.UNREACHABLE, "the peer stopped answering or dropped the association"
        )
    meaning = of_status(int(code))
    return _Reply(meaning.verdict, meaning.words, meaning.warned)
