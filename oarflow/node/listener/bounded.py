"""An association's socket: bounds on what a peer can make the node hold, and reading ahead."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from pynetdicom.transport import AssociationSocket

from oarflow.node.listener.waiting import HEAD_BYTES, REQUEST_BYTES, receive

_PDU_SLACK = 4096
"""What a PDU other than P-DATA may exceed the negotiated length by; associations are longer."""

_AHEAD = 1 << 16
"""Bytes that are asked for at once: small PDUs, and the heads of large ones, come together."""

_P_DATA = 4

_SLOWEST = 1024.0
"""Bytes a second that a message comes in at least, once it takes longer than the idle time."""


@dataclass(frozen=True)
class Bounds:
    """Of an association. max_pdu, max_message: bytes. seconds: for a whole PDU.

    complain: is given the reason why the association is ended.
    """

    max_pdu: int
    max_message: int
    seconds: float
    complain: Callable[[str], None]


class BoundedSocket(AssociationSocket):
    """A socket that ends an association whose PDUs or messages are too long, or come too slowly.

    held: bytes of the message that is coming in. ahead: what was read, but not asked for yet.
    A PDU is read head first; its body has what is left of the head's time.
    """

    bounds: Bounds
    held: int
    ahead: memoryview
    _until: float
    _message_since: float | None

    @classmethod
    def bind(cls, plain: AssociationSocket, bounds: Bounds, ahead: bytes = b"") -> None:
        """Make this of a socket that pynetdicom made: a second wrapper would connect twice."""
        plain.__class__ = cls
        assert isinstance(plain, cls)
        plain.bounds, plain.ahead, plain._until = bounds, memoryview(ahead), 0.0
        plain.message_over()

    def message_over(self) -> None:
        """What comes next belongs to another message."""
        self.held, self._message_since = 0, None

    @property
    def ready(self) -> bool:
        """Whether there is something to read, now."""
        return (self.socket is not None and bool(self.ahead)) or super().ready

    def comes(self, seconds: float) -> bool:
        """Whether there is something to read, within that time."""
        if self.ahead:
            return True
        if self.socket is None:
            return False
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        try:
            return bool(select.select([self.socket], [], [], seconds)[0])
        except (OSError, ValueError):  # closed meanwhile: pynetdicom finds it so, too
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read all of it, in large pieces. Raises OSError where it is too much or too slow."""
        bounds = self.bounds
        self.held += nr_bytes
        longest = max(bounds.max_pdu + _PDU_SLACK, REQUEST_BYTES)
        if nr_bytes > longest or self.held > bounds.max_message + longest:
            bounds.complain("it sent more than is allowed")
            raise OSError("more than is allowed")
        if nr_bytes == HEAD_BYTES:
            self._until = time.monotonic() + bounds.seconds
        try:
            data = self._read(nr_bytes)
            if nr_bytes == HEAD_BYTES and len(data) == HEAD_BYTES:
                self._check_pace(data[0])
        except TimeoutError:
            bounds.complain("a PDU or message came too slowly")
            raise
        finally:
            if self.socket is not None:
                self.socket.settimeout(bounds.seconds)
        return data

    def _read(self, nr_bytes: int) -> bytearray:
        data = bytearray(self.ahead[:nr_bytes])
        self.ahead = self.ahead[nr_bytes:]
        while len(data) < nr_bytes:
            piece = self._piece(max(nr_bytes - len(data), _AHEAD))
            if not piece:
                break
            wanted = nr_bytes - len(data)
            data += piece[:wanted]
            self.ahead = piece[wanted:]
        return data

    def _check_pace(self, kind: int) -> None:
        """A message in tiny PDUs may not take for ever, either. Raises TimeoutError."""
        if kind != _P_DATA:
            self.message_over()
            return
        moment = time.monotonic()
        if self._message_since is None:
            self._message_since = moment
        if moment - self._message_since > self.bounds.seconds + self.held / _SLOWEST:
            raise TimeoutError

    def _piece(self, size: int) -> memoryview:
        """What is there already, or comes next."""
        if self.socket is None:
            raise OSError("closed")
        piece = receive(self.socket, size, self._until)
        # Many senders wait for the acknowledgement of a command before they send its data.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return memoryview(piece)
