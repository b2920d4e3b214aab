"""Connections whose association request has not come: a total time for each, and few at once.

A connection takes a place among the associations only with a whole A-ASSOCIATE-RQ. Port scanners,
load balancers' checks and slow or silent peers therefore keep nobody out: they only wait here, and
the oldest gives way to the newest.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass

from pynetdicom.pdu import A_ABORT_RQ

HEAD_BYTES = 6
"""Of a PDU: its type and its length (PS3.8, 9.3.1)."""

REQUEST_BYTES = 1 << 17
"""The longest A-ASSOCIATE-RQ: more than 128 presentation contexts need."""

_ASSOCIATE_RQ = 1
_BY_PROVIDER, _UNEXPECTED_PDU = 2, 2
"""Source and reason of an A-ABORT (PS3.8, table 9-26)."""


class NoRequest(Exception):
    """The connection brought no association request; why, in words."""


@dataclass(eq=False)
class Waiting:
    """A connection without a request. until: of the monotonic clock, when its time is over."""

    address: str
    connection: socket.socket
    until: float


class WaitingRoom:
    """Connections that wait. places: for all together; per_address: of one address."""

    def __init__(self, places: int, per_address: int) -> None:
        self._places, self._per_address = places, per_address
        self._waiting: list[Waiting] = []
        self._lock = threading.Lock()

    def enter(self, one: Waiting) -> None:
        """Wait; where there is no place, the oldest of the address or of all is cut off."""
        with self._lock:
            self._waiting.append(one)
            same = [other for other in self._waiting if other.address == one.address]
            if len(same) > self._per_address:
                self._cut(same[0])
            elif len(self._waiting) > self._places:
                self._cut(self._waiting[0])

    def leave(self, one: Waiting) -> bool:
        """Wait no more. False: it was cut off meanwhile."""
        with self._lock:
            if one not in self._waiting:
                return False
            self._waiting.remove(one)
            return True

    def close(self) -> None:
        """Cut off all who wait, and who comes later."""
        with self._lock:
            self._places = 0
            while self._waiting:
                self._cut(self._waiting[0])

    def _cut(self, one: Waiting) -> None:
        self._waiting.remove(one)
        with contextlib.suppress(OSError):
            # Not by TLS, whose state belongs to the thread that reads.
            socket.socket.shutdown(one.connection, socket.SHUT_RDWR)


def receive(connection: socket.socket, size: int, until: float) -> bytes:
    """What comes next, at most `size` bytes; nothing at its end. Raises OSError, TimeoutError."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(size)


def request_of(one: Waiting) -> bytes:
    """A whole A-ASSOCIATE-RQ, read to its last byte and no further.

    Raises NoRequest, and OSError where the peer closed the connection or its time is over.
    """
    head = _read(one, HEAD_BYTES)
    kind, length = struct.unpack(">BxL", head)
    if kind != _ASSOCIATE_RQ or length > REQUEST_BYTES:
        raise NoRequest("what it sent is no association request")
    return head + _read(one, length)


def _read(one: Waiting, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = receive(one.connection, size - len(data), one.until)
        if not piece:
            raise ConnectionError("closed by the peer")
        data += piece
    return data


def abort(connection: socket.socket) -> None:
    """Answer what is no association request (PS3.8, 9.2: AA-1). Raises no OSError."""
    pdu = A_ABORT_RQ()
    pdu.source, pdu.reason_diagnostic = _BY_PROVIDER, _UNEXPECTED_PDU
    with contextlib.suppress(OSError):
        connection.sendall(pdu.encode())
