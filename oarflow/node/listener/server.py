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

# pynetdicom._config is private by its name only: the user guide documents its options as settings.
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import AssociationServer

from oarflow.errors import ConfigurationError
from oarflow.node.database.receiving import Origin
from oarflow.node.listener.gateway import Gateway
from oarflow.node.listener.tls import server_context
from oarflow.node.logs import Sparing
from oarflow.node.settings import ListenerSettings
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.statuses import NotStored, StoreStatus

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
"""Accepted transfer syntaxes. Instances are stored as sent; the application reads the pixels."""

SILENT_SECONDS = 10.0
"""A gateway without a sign of life for this long (s) is reported as trouble."""

STOP_SECONDS = 20.0
"""How long (s) the current instance may take when the listener stops."""


def quiet_libraries() -> None:
    """Silence log messages of libraries, which quote patient data."""
    _config.LOG_HANDLER_LEVEL = "none"
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")
    threading.excepthook = _thread_ended


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Log the end of a pynetdicom thread by an unexpected error, without the error's text."""
    if isinstance(ended.thread, Association | DULServiceProvider):
        LOGGER.debug("an association ended by an error (%s)", ended.exc_type.__name__)
    else:
        threading.__excepthook__(ended)


@dataclass(frozen=True)
class Extension:
    """A further service of the listener. offer: adds its presentation contexts."""

    offer: Callable[[AE], None]
    event: Any
    handler: Callable[[Any], Any]


class PortlessServer(AssociationServer):
    """pynetdicom's server without a port; the gateway gives it its connections."""

    def server_bind(self) -> None:
        """The gateway has the port."""

    def server_activate(self) -> None:
        """The gateway listens."""


class Listener:
    """The part of the node that receives instances."""

    name = "listener"

    def __init__(
        self,
        settings: ListenerSettings,
        receiver: Receiver,
        extensions: Sequence[Extension] = (),
    ) -> None:
        self._settings = settings
        self._receiver = receiver
        self._extensions = extensions
        self._sparing = Sparing()
        self._entity: AE | None = None
        self._gateway: Gateway | None = None
        self.port = settings.port

    def start(self) -> None:
        """Start to listen. Raises ConfigurationError (LISTENER, TLS)."""
        quiet_libraries()
        settings = self._settings
        tls = None if settings.tls is None else server_context(settings.tls)
        gateway = Gateway(settings, tls, self._sparing)
        try:
            address = gateway.listen()
        except OSError as error:
            raise ConfigurationError(
                "LISTENER", f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from error
        self._entity = self._make_entity()
        server = self._entity.make_server(
            address,
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_REJECTED, self._rejected),
                (evt.EVT_CONN_CLOSE, _forget_message),
                *((one.event, one.handler) for one in self._extensions),
            ],
            server_class=PortlessServer,
        )
        gateway.start(server.process_request)
        self._gateway, self.port = gateway, int(address[1])
        LOGGER.info("listening as %s on %s:%d", settings.ae_title, settings.host, self.port)

    def _make_entity(self) -> AE:
        settings = self._settings
        entity = AE(ae_title=settings.ae_title)
        entity.maximum_pdu_size = settings.max_pdu
        # The gateway keeps the limit; closed associations may still be storing their last instance.
        entity.maximum_associations = 2 * settings.max_associations
        entity.network_timeout = entity.acse_timeout = settings.idle_seconds
        entity.dimse_timeout = settings.idle_seconds
        entity.add_supported_context(Verification)
        for storage_class in STORAGE_CLASSES:
            entity.add_supported_context(storage_class, list(TRANSFER_SYNTAXES))
        for extension in self._extensions:
            extension.offer(entity)
        return entity

    def stop(self) -> None:
        """Stop. The current instance is either stored or not answered."""
        if self._gateway is None or self._entity is None:
            return
        self._gateway.stop()
        self._gateway = None
        until = time.monotonic() + STOP_SECONDS
        while self._entity.active_associations and time.monotonic() < until:
            time.sleep(0.02)

    def trouble(self) -> str | None:
        silent = None if self._gateway is None else self._gateway.silent_seconds()
        if silent is None:
            return "the listener is not running"
        if silent > SILENT_SECONDS:
            return "the listener gives no sign of life"
        try:
            self._receiver.spool.check_room(0)
        except (NotStored, OSError):
            return "free disk space is below storage.min_free_mb: instances are refused"
        return None

    def _rejected(self, event: Any) -> None:
        address = event.assoc.requestor.address
        message = "rejected an association of %s: too many closed ones are still storing instances"
        self._sparing.warn(LOGGER, address, message, address)

    def _store(self, event: Any) -> int | Dataset:
        """C-STORE: success means that the instance is on disk and in the database."""
        request, peer = event.request, event.assoc.requestor
        called = str(peer.primitive.called_ae_title).strip()
        origin = Origin(str(peer.ae_title).strip(), called, peer.address)
        try:
            self._receiver.receive(
                origin,
                b"" if request.DataSet is None else request.DataSet.getvalue(),
                str(event.context.transfer_syntax),
                str(request.AffectedSOPClassUID),
                str(request.AffectedSOPInstanceUID),
            )
        except NotStored as refusal:
            return self._refused(origin, refusal.status, str(refusal), refusal.comment)
        except Exception as error:
            reason = f"a fault of the node ({type(error).__name__})"
            return self._refused(
                origin, StoreStatus.CANNOT_UNDERSTAND, reason, "a fault of the node"
            )
        return int(StoreStatus.SUCCESS)

    def _refused(self, origin: Origin, status: StoreStatus, reason: str, comment: str) -> Dataset:
        message = "refused an instance of %a at %s (%04X): %s"
        about = f"{origin.address} {status}"
        self._sparing.warn(
            LOGGER, about, message, origin.calling_ae, origin.address, status, reason
        )
        answer = Dataset()
        answer.Status = int(status)
        answer.ErrorComment = comment
        return answer


def _forget_message(event: Any) -> None:
    """Free an incomplete message of an ended association at once."""
    event.assoc.dimse.message = None
