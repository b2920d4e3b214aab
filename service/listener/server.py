"""The listener: C-ECHO and C-STORE of CT and MR, by pynetdicom."""

from __future__ import annotations

import logging
import threading
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
from service.database.receiving import Origin
from service.listener.admission import Admission
from service.listener.bounded import BoundedSocket
from service.listener.direct import Request
from service.listener.guard import GuardedServer, Limits
from service.listener.receiver import MEGABYTE, Receiver
from service.listener.statuses import NotStored, Status
from service.listener.tls import server_context
from service.settings import ListenerSettings

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

_REJECTED = (1, 1)
"""Permanently, by the service user: with 3, the calling title is not known; 7, the called one."""


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
    ) -> None:
        self._settings = settings
        self._receiver = receiver
        self._extensions = extensions
        self._entity_class = entity_class
        self._admission = Admission(settings.allow)
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
            max_connections=2 * settings.max_associations,
            max_pdu=settings.max_pdu,
            max_message=settings.max_instance_mb * MEGABYTE,
            store=self._take,
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
        if self._thread is None or not self._thread.is_alive():
            return "the listener is not running"
        try:
            self._receiver.spool.check_room(0)
        except (NotStored, OSError):
            return "the disk has no room: instances are not accepted"
        return None

    def _requested(self, event: Any) -> None:
        """An association is asked for."""
        association = event.assoc
        primitive = association.requestor.primitive
        calling, called = primitive.calling_ae_title.strip(), primitive.called_ae_title.strip()
        if not self._admission.admits(calling, association.requestor.address):
            self._reject(association, 3, "a calling AE title")
        elif self._settings.check_called and called != self._settings.ae_title.strip():
            self._reject(association, 7, "a called AE title")

    def _reject(self, association: Any, diagnostic: int, what: str) -> None:
        LOGGER.warning("an association is rejected: %s is not accepted", what)
        association.acse.send_reject(*_REJECTED, diagnostic)
        association.is_rejected = True
        association.kill()

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
            connection.held = 0  # the message is taken over
        requestor = association.requestor
        assert requestor.primitive is not None
        origin = Origin(
            str(requestor.primitive.calling_ae_title).strip(),
            str(requestor.primitive.called_ae_title).strip(),
            requestor.address,
        )
        try:
            self._receiver.receive(
                origin,
                data,
                request.transfer_syntax_uid,
                request.sop_class_uid,
                request.sop_instance_uid,
            )
        except NotStored as refusal:
            LOGGER.warning("an instance is not stored (%04X): %s", refusal.status, refusal)
            return refusal
        except Exception as error:
            LOGGER.error("an instance is not stored: %s", type(error).__name__)
            return NotStored(Status.CANNOT_UNDERSTAND, "a fault of the node")
        return None


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
    entity.acse_timeout = min(30.0, settings.idle_seconds)
    entity.dimse_timeout = settings.idle_seconds
    entity.add_supported_context(Verification)
    for storage_class in STORAGE_CLASSES:
        entity.add_supported_context(storage_class, list(TRANSFER_SYNTAXES))
    return entity
