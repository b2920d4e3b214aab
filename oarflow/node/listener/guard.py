"""The server's side of the socket: who may connect, how many, and TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, A_RELEASE
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from oarflow.node.listener.admission import Admission
from oarflow.node.listener.bounded import BoundedSocket, Bounds
from oarflow.node.listener.direct import DirectProvider, Store
from oarflow.node.listener.waiting import NoRequest, Waiting, WaitingRoom, abort, request_of
from oarflow.node.logs import Sparing

LOGGER = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0

REQUEST_SECONDS = 30.0
"""From the connection to the last byte of the association request, TLS included; the idle time,
where that is shorter."""


@dataclass(frozen=True)
class Limits:
    """What a server allows. max_pdu, max_message: bytes. store: takes what comes by C-STORE.

    idle_seconds: of silence, and for a whole PDU. max_waiting: connections without an association
    request, of one address. max_per_address: associations of one address.
    """

    admission: Admission
    tls: ssl.SSLContext | None
    idle_seconds: float
    max_waiting: int
    max_per_address: int
    max_pdu: int
    max_message: int
    store: Store
    sparing: Sparing = field(default_factory=Sparing)


class _Handler(RequestHandler):
    """Associations with bounded sockets and a short way for C-STORE. read: the request."""

    def __init__(self, *args: Any, limits: Limits, read: bytes) -> None:
        self._limits, self._read = limits, read
        super().__init__(*args)

    def _create_association(self) -> Association:
        association = super()._create_association()
        plain = association.dul.socket
        if plain is None:
            raise OSError("closed")
        limits = self._limits
        bounds = Bounds(limits.max_pdu, limits.max_message, limits.idle_seconds, self._complain)
        BoundedSocket.bind(plain, bounds, self._read)
        association.dul.__class__ = DirectProvider
        provider: Any = association.dul
        provider.store, provider.message = self._limits.store, None
        provider.refusals = []
        return association

    def _complain(self, reason: str) -> None:
        address = self.client_address[0]
        self._limits.sparing.warn(
            LOGGER, address, "an association with %s is ended: %s", address, reason
        )


class GuardedServer(ThreadedAssociationServer):
    """Closes connections from unknown addresses unread; waits in the peer's own thread."""

    daemon_threads = True
    request_queue_size = 128

    limits: Limits
    waiting_room: WaitingRoom | None = None
    served_at: float

    def guard(self, limits: Limits) -> None:
        """Set the limits, before the server is started."""
        self.limits, self.served_at = limits, time.monotonic()
        self.waiting_room = WaitingRoom(4 * limits.max_waiting, limits.max_waiting)
        self._admitted: list[Association] = []
        self._admitting = threading.RLock()
        self.bind(evt.EVT_CONN_CLOSE, self._closed)
        self.bind(evt.EVT_ACSE_SENT, self._answered)

    def service_actions(self) -> None:
        """Several times a second."""
        super().service_actions()
        self.served_at = time.monotonic()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Before a byte is read."""
        address = client_address[0]
        if not self.limits.admission.address_known(address):
            self._warn(address, "its address is not on the list")
            return False
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """A peer that does not answer holds up nobody but itself."""
        seconds = min(REQUEST_SECONDS, self.limits.idle_seconds)
        waiting = Waiting(client_address[0], request, time.monotonic() + seconds)
        room = self.waiting_room
        assert room is not None
        room.enter(waiting)
        try:
            read = self._begin(waiting)
            if not room.leave(waiting):
                raise NoRequest("newer ones took its place")
            waiting.connection.settimeout(self.limits.idle_seconds)
            _Handler(waiting.connection, client_address, self, limits=self.limits, read=read)
            return
        except NoRequest as refusal:
            self._warn(waiting.address, str(refusal))
            abort(waiting.connection)
        except TimeoutError:
            self._warn(waiting.address, f"no association request within {seconds:g} s")
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            # The peer closed it: so does every check whether the port is open.
            LOGGER.debug("a connection from %s ended without a request", waiting.address)
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            self._warn(waiting.address, f"no TLS or no association with it ({reason})")
        finally:
            room.leave(waiting)
        self.shutdown_request(waiting.connection)

    def _begin(self, waiting: Waiting) -> bytes:
        """TLS and the association request. Raises OSError, NoRequest."""
        waiting.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.limits.tls is not None:
            left = waiting.until - time.monotonic()
            waiting.connection.settimeout(max(min(HANDSHAKE_SECONDS, left), 0.1))
            tls = self.limits.tls.wrap_socket(
                waiting.connection, server_side=True, do_handshake_on_connect=False
            )
            waiting.connection = tls
            tls.do_handshake()
        return request_of(waiting)

    def _answered(self, event: Any) -> None:
        """A release or abort is about to be sent: the place is free before the peer knows of it."""
        if isinstance(event.primitive, A_RELEASE | A_ABORT | A_P_ABORT):
            self._give_back(event.assoc)

    def _closed(self, event: Any) -> None:
        """A connection is closed: its place is free, and nobody waits for a request any more.

        pynetdicom's thread would wait for the request until its time is over, and keep the place.
        """
        association = event.assoc
        self._give_back(association)
        if association.requestor.primitive is None:
            association.dul.to_user_queue.put(None)
            self._warn(association.requestor.address, "its association request is invalid")

    def _warn(self, address: str, reason: str) -> None:
        self.limits.sparing.warn(
            LOGGER, address, "a connection from %s is closed: %s", address, reason
        )

    def admit(self, association: Association) -> bool:
        """Whether its address may have one more; then it counts until it ends."""
        address = association.requestor.address
        with self._admitting:
            if self.associations_from(address) >= self.limits.max_per_address:
                return False
            self._admitted.append(association)
            self.publish()
        return True

    def _give_back(self, association: Association) -> None:
        with self._admitting:
            if association in self._admitted:
                self._admitted.remove(association)
                self.publish()

    def publish(self) -> None:
        """The addresses of the associations changed; the lock on them is held."""

    def associations_from(self, address: str) -> int:
        """How many associations of the address there are."""
        return self.addresses().count(address)

    def addresses(self) -> list[str]:
        """Of the associations that were admitted and go on, one by one."""
        with self._admitting:
            self._admitted = [one for one in self._admitted if one.is_alive()]
            return [one.requestor.address for one in self._admitted]

    def server_close(self) -> None:
        """Who waits is cut off."""
        super().server_close()
        if self.waiting_room is not None:  # the port was not to be had
            self.waiting_room.close()
