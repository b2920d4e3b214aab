"""The server's side of the socket: who may connect, how many, and TLS."""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from service.listener.admission import Admission
from service.listener.bounded import BoundedSocket
from service.listener.direct import DirectProvider, Store

LOGGER = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True)
class Limits:
    """What a server allows. max_pdu, max_message: bytes. store: takes what comes by C-STORE."""

    admission: Admission
    tls: ssl.SSLContext | None
    idle_seconds: float
    max_connections: int
    max_pdu: int
    max_message: int
    store: Store


class _Handler(RequestHandler):
    """Associations with bounded sockets and a short way for C-STORE."""

    def __init__(self, *args: Any, limits: Limits) -> None:
        self._limits = limits
        super().__init__(*args)

    def _create_association(self) -> Association:
        association = super()._create_association()
        plain = association.dul.socket
        if plain is None:
            raise OSError("closed")
        BoundedSocket.bind(plain, self._limits.max_pdu, self._limits.max_message)
        association.dul.__class__ = DirectProvider
        provider: Any = association.dul
        provider.store, provider.message = self._limits.store, None
        provider.refusals = []
        return association


class GuardedServer(ThreadedAssociationServer):
    """Closes connections from unknown addresses unread; shakes hands in the peer's own thread."""

    limits: Limits

    def guard(self, limits: Limits) -> None:
        """Set the limits, before the server is started."""
        self.limits = limits
        handler: Any = partial(_Handler, limits=limits)
        self.RequestHandlerClass = handler

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Before a byte is read."""
        if not self.limits.admission.address_known(client_address[0]):
            LOGGER.warning("a connection from an address that is not on the list is closed")
            return False
        return self.connections() < self.limits.max_connections

    def connections(self) -> int:
        """How many there are."""
        return len(self.active_associations)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """A peer that does not answer holds up nobody but itself."""
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request.settimeout(HANDSHAKE_SECONDS)
            if self.limits.tls is not None:
                request = self.limits.tls.wrap_socket(request, server_side=True)
            request.settimeout(self.limits.idle_seconds)
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            LOGGER.warning("no TLS with a peer: %s", reason)
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)
