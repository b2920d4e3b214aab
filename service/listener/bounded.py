"""An association's socket: bounds on what a peer can make the node hold, and reading ahead."""

from __future__ import annotations

import logging
import select
import socket
import ssl

from pynetdicom.transport import AssociationSocket

LOGGER = logging.getLogger(__name__)

_PDU_SLACK = 4096
"""What a PDU other than P-DATA may exceed the negotiated length by; associations are longer."""

_ASSOCIATE_BYTES = 1 << 17
"""More than 128 presentation contexts need."""

_AHEAD = 1 << 16
"""Bytes that are asked for at once: small PDUs, and the heads of large ones, come together."""


class BoundedSocket(AssociationSocket):
    """A socket that ends an association whose PDUs or messages are too long.

    held: bytes of the message that is coming in. ahead: what was read, but not asked for yet.
    """

    max_pdu: int
    max_message: int
    held: int
    ahead: memoryview

    @classmethod
    def bind(cls, plain: AssociationSocket, max_pdu: int, max_message: int) -> None:
        """Make this of a socket that pynetdicom made: a second wrapper would connect twice."""
        plain.__class__ = cls
        assert isinstance(plain, cls)
        plain.max_pdu, plain.max_message = max_pdu, max_message
        plain.held, plain.ahead = 0, memoryview(b"")

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
        """Read all of it, in large pieces. Raises OSError where it is more than allowed."""
        self.held += nr_bytes
        longest = max(self.max_pdu + _PDU_SLACK, _ASSOCIATE_BYTES)
        if nr_bytes > longest or self.held > self.max_message + longest:
            LOGGER.warning("an association sent more than is allowed; it is ended")
            raise OSError("more than is allowed")
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

    def _piece(self, size: int) -> memoryview:
        """What is there already, or comes next."""
        if self.socket is None:
            raise OSError("closed")
        piece = self.socket.recv(size)
        # Many senders wait for the acknowledgement of a command before they send its data.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return memoryview(piece)
