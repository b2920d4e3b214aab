"""The listener: C-ECHO and C-STORE of CT and MR, by pynetdicom."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom import config as pydicom_config
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MRImageStorage,
    RLETransferSyntaxes,
)
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from oarflow.errors import ConfigurationError
from oarflow.node.database.receiving import Origin
from oarflow.node.listener.admission import Admission
from oarflow.node.listener.bounded import BoundedSocket
from oarflow.node.listener.direct import Request
from oarflow.node.listener.guard import REQUEST_SECONDS, GuardedServer, Limits
from oarflow.node.listener.receiver import MEGABYTE, Receiver
from oarflow.node.listener.statuses import NotStored, Status
from oarflow.node.listener.tls import server_context
from oarflow.node.logs import Sparing
from oarflow.node.settings import ListenerSettings

LOGGER = logging.getLogger(__name__)

STORAGE_CLASSES = (
    CTImageStorage,
    EnhancedCTImageStorage,
    MRImageStorage,
    EnhancedMRImageStorage,
)
TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    *RLETransferSyntaxes,
    *JPEGTransferSyntaxes,
    *JPEGLSTransferSyntaxes,
    *JPEG2000TransferSyntaxes,
)
"""All are stored as they come; whether their pixels can be read is the application's to say."""

_CALLING, _CALLED, _LIMIT = (1, 1, 3), (1, 1, 7), (2, 3, 2)
"""Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8, table 9-21): permanently, a title is
not known; for now, too many associations."""


SILENT_SECONDS = 10.0
"""The listener's loop turns ten times a second; a pause longer than this is trouble."""


def quiet_libraries() -> None:
    """Their messages quote data sets, and with them patients."""
    _config.LOG_HANDLER_LEVEL = "none"
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


@dataclass(frozen=True)
class Extension:
    """A further service that the listener offers. offer: adds its contexts."""

    offer: Callable[[AE], None]
    event: Any
    handler: Callable[[Any], Any]


class Listener:
    """Receives. A part of the node."""

    name = "listener"

    def __init__(
        self,
        settings: ListenerSettings,
        receiver: Receiver,
        extensions: Sequence[Extension] = (),
        entity_class: type[AE] = AE,
        sparing: Sparing | None = None,
    ) -> None:
        self._settings = settings
        self._receiver = receiver
        self._extensions = extensions
        self._entity_class = entity_class
        self._admission = Admission(settings.allow)
        self._sparing = sparing or Sparing()
        self._server: GuardedServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises ConfigurationError (LISTENER, TLS)."""
        self._serve(self.open(GuardedServer))

    def open(self, server_class: type[GuardedServer]) -> GuardedServer:
        """A server of this listener, not serving yet. Raises ConfigurationError (LISTENER, TLS)."""
        quiet_libraries()
        settings = self._settings
        tls = None if settings.tls is None else server_context(settings.tls)
        entity = _entity(settings, self._entity_class)
        for extension in self._extensions:
            extension.offer(entity)
        try:
            server = entity.make_server(
                (settings.host, settings.port),
                evt_handlers=[
                    (evt.EVT_REQUESTED, self._requested),
                    (evt.EVT_REJECTED, self._full),
                    (evt.EVT_DIMSE_RECV, _message_over),
                    (evt.EVT_C_STORE, self._store),
                    *((one.event, one.handler) for one in self._extensions),
                ],
                server_class=server_class,
            )
        except OSError as error:
            raise ConfigurationError(
                "LISTENER", f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from error
        assert isinstance(server, GuardedServer)
        limits = Limits(
            admission=self._admission,
            tls=tls,
            idle_seconds=settings.idle_seconds,
            max_waiting=settings.max_associations,
            max_per_address=settings.max_per_address,
            max_pdu=settings.max_pdu,
            max_message=settings.max_instance_mb * MEGABYTE,
            store=self._take,
            sparing=self._sparing,
        )
        server.guard(limits)
        entity._servers.append(server)
        self._server = server
        return server

    def _serve(self, server: GuardedServer) -> None:
        settings = self._settings
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.1,), name="listener", daemon=True
        )
        self._thread.start()
        LOGGER.info("listening as %s on %s:%d", settings.ae_title, settings.host, self.port)

    @property
    def port(self) -> int:
        """The port in use."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop; an instance in hand is finished or unanswered."""
        if self._server is not None:
            self._server.ae.shutdown()
            self._server = None

    def trouble(self) -> str | None:
        server = self._server
        if server is None or self._thread is None or not self._thread.is_alive():
            return "the listener is not running"
        if time.monotonic() - server.served_at > SILENT_SECONDS:
            return "the listener gives no sign of life"
        try:
            self._receiver.spool.check_room(0)
        except (NotStored, OSError):
            return "the disk has no room: instances are not accepted"
        return None

    def _requested(self, event: Any) -> None:
        """An association is asked for."""
        association = event.assoc
        calling, called = _titles(association)
        server = self._server
        if not self._admission.admits(calling, association.requestor.address):
            self._reject(association, _CALLING, "the calling AE title is not accepted")
        elif self._settings.check_called and called != self._settings.ae_title.strip():
            self._reject(association, _CALLED, "the called AE title is not accepted")
        elif server is None or not server.admit(association):
            most = self._settings.max_per_address
            self._reject(association, _LIMIT, f"its address has {most} associations already")

    def _reject(self, association: Any, answer: tuple[int, int, int], reason: str) -> None:
        self._warn_of_rejection(association, reason)
        association.acse.send_reject(*answer)
        association.is_rejected = True
        association.kill()

    def _full(self, event: Any) -> None:
        """pynetdicom rejected an association: there are too many."""
        most = self._settings.max_associations
        self._warn_of_rejection(event.assoc, f"there are {most} associations already")

    def _warn_of_rejection(self, association: Any, reason: str) -> None:
        """Titles are escaped: a peer may put anything into them."""
        address = association.requestor.address
        calling, called = _titles(association)
        message = "an association of %a at %s, calling %a, is rejected: %s"
        self._sparing.warn(LOGGER, address, message, calling, address, called, reason)

    def _store(self, event: Any) -> int | Dataset:
        """C-STORE where it did not come in the usual pieces."""
        request = Request(
            event.context.context_id,
            int(event.request.MessageID),
            str(event.context.transfer_syntax),
            str(event.request.AffectedSOPClassUID),
            str(event.request.AffectedSOPInstanceUID),
        )
        refusal = self._take(event.assoc, request, event.request.DataSet.getvalue())
        return int(Status.SUCCESS) if refusal is None else _answer(refusal)

    def _take(self, association: Association, request: Request, data: bytes) -> NotStored | None:
        """Answered when the instance is safe."""
        connection = association.dul.socket
        if isinstance(connection, BoundedSocket):
            connection.message_over()
        requestor = association.requestor
        origin = Origin(*_titles(association), requestor.address)
        try:
            self._receiver.receive(
                origin,
                data,
                request.transfer_syntax_uid,
                request.sop_class_uid,
                request.sop_instance_uid,
            )
        except NotStored as refusal:
            self._warn_of_instance(origin, refusal.status, str(refusal))
            return refusal
        except Exception as error:
            self._warn_of_instance(
                origin, Status.CANNOT_UNDERSTAND, f"a fault of the node ({type(error).__name__})"
            )
            return NotStored(Status.CANNOT_UNDERSTAND, "a fault of the node")
        return None

    def _warn_of_instance(self, origin: Origin, status: Status, reason: str) -> None:
        message = "an instance of %a at %s is not stored (%04X): %s"
        about = f"{origin.address} {status}"
        self._sparing.warn(
            LOGGER, about, message, origin.calling_ae, origin.address, status, reason
        )


def _titles(association: Association) -> tuple[str, str]:
    """Calling and called, of an association that was asked for."""
    primitive = association.requestor.primitive
    assert primitive is not None
    return str(primitive.calling_ae_title).strip(), str(primitive.called_ae_title).strip()


def _message_over(event: Any) -> None:
    """A message came to its end."""
    connection = event.assoc.dul.socket
    if isinstance(connection, BoundedSocket):
        connection.message_over()


def _answer(refusal: NotStored) -> Dataset:
    answer = Dataset()
    answer.Status = int(refusal.status)
    answer.ErrorComment = refusal.comment
    return answer


def _entity(settings: ListenerSettings, entity_class: type[AE]) -> AE:
    entity = entity_class(ae_title=settings.ae_title)
    entity.maximum_pdu_size = settings.max_pdu
    entity.maximum_associations = settings.max_associations
    entity.network_timeout = settings.idle_seconds
    entity.acse_timeout = min(REQUEST_SECONDS, settings.idle_seconds)
    entity.dimse_timeout = settings.idle_seconds
    entity.add_supported_context(Verification)
    for storage_class in STORAGE_CLASSES:
        entity.add_supported_context(storage_class, list(TRANSFER_SYNTAXES))
    return entity
