"""Relays an association's PDUs between the peer and pynetdicom, within limits.

pynetdicom alone reads PDUs of any length, waits without limit for the last byte, and keeps every
message of a peer that does not wait for answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from oarflow.node.listener import pdus
from oarflow.node.settings import ListenerSettings

CLOSE_SECONDS = 2.0
"""How long (s) the last bytes may take when a connection is closed."""

_PDU_SLACK = 4096
"""Bytes by which a PDU may exceed the negotiated length."""


@dataclass(frozen=True)
class Streams:
    """Both directions of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, connection: socket.socket, tls: ssl.SSLContext | None = None) -> Streams:
        """Streams of a connected socket, after the TLS handshake. Raises OSError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def send(self, data: bytes, seconds: float) -> None:
        """Send bytes. Raises OSError, and TimeoutError if the other side does not read them."""
        self.writer.write(data)
        async with asyncio.timeout(seconds):
            await self.writer.drain()

    async def close(self, last: bytes = b"") -> None:
        """Send the last bytes if possible, and close. Raises no OSError."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                self.writer.write(last)
                self.writer.close()
                await self.writer.wait_closed()
        except OSError:  # TimeoutError is one
            pass
        finally:
            self.writer.transport.abort()


class Relay:
    """The relay of one association. over: called before the peer learns of the end."""

    def __init__(
        self, peer: Streams, inner: Streams, settings: ListenerSettings, over: Callable[[], None]
    ) -> None:
        self._peer, self._inner, self._over = peer, inner, over
        self._seconds = settings.idle_seconds
        self._longest = max(settings.max_pdu + _PDU_SLACK, pdus.REQUEST_BYTES)
        most = (settings.max_instance_mb << 20) + self._longest
        self._messages = pdus.MessageLimits(most, settings.idle_seconds)
        self._answered = asyncio.Event()
        self._answered.set()

    async def run(self, request: bytes) -> None:
        """Relay until one side closes. request: the A-ASSOCIATE-RQ.

        Raises PduError, OSError, TimeoutError, and IncompleteReadError if the peer closed.
        """
        await self._inner.send(request, self._seconds)
        ways = [asyncio.create_task(self._inward()), asyncio.create_task(self._outward())]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        return await pdus.read_pdu(reader, pdus.ANY_KIND, self._longest, self._seconds)

    async def _inward(self) -> None:
        """Relay from the peer. pynetdicom limits how long the peer may be silent."""
        while True:
            pdu = await self._next(self._peer.reader)
            acknowledge(self._peer.writer)
            if pdu[0] == pdus.P_DATA and self._messages.follow(pdu):
                await self._answered.wait()  # one message at a time, as was negotiated
                self._answered.clear()
            await self._inner.send(pdu, self._seconds)

    async def _outward(self) -> None:
        over = False
        while not over:
            try:
                pdu = await self._next(self._inner.reader)
            except asyncio.IncompleteReadError as error:
                raise pdus.PduError("pynetdicom cannot parse a message") from error
            if pdu[0] == pdus.P_DATA and pdus.ends_command(pdu):
                self._answered.set()
            over = pdu[0] in (pdus.ASSOCIATE_RJ, pdus.RELEASE_RP, pdus.ABORT)
            if over:
                self._over()
            await self._peer.send(pdu, self._seconds)


def acknowledge(writer: asyncio.StreamWriter) -> None:
    """Acknowledge at once: many senders wait for that before they send a command's data."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
