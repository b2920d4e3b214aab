"""The listener's port: which connections become associations, and how many at once.

A connection counts as an association only after a complete, valid A-ASSOCIATE-RQ. Until then it is
pending, and the oldest pending connection is closed for a new one. Port scanners, checks of load
balancers and slow peers therefore take no place of a sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from oarflow.node.listener import pdus
from oarflow.node.listener.admission import Admission
from oarflow.node.listener.relay import Relay, Streams
from oarflow.node.logs import Sparing
from oarflow.node.settings import ListenerSettings

LOGGER = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
"""The longest time (s) from the connection to the end of the association request, with TLS.
The idle time applies if it is shorter."""

BEAT_SECONDS = 1.0
STOP_SECONDS = 10.0
_BACKLOG = 128

_CALLING, _CALLED, _VERSION, _LIMIT = (1, 1, 3), (1, 1, 7), (1, 2, 2), (2, 3, 2)
"""Rejections: permanent for an unknown title or protocol, transient for too many associations."""

Serve = Callable[[socket.socket, Any], None]
"""Gets one end of a pair of sockets, and the address of the peer at the other end."""


class PendingConnections:
    """Connections without an association request, oldest first.

    most: limit for all addresses together. per_address: limit for one address.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._pending: dict[object, tuple[str, Callable[[], object]]] = {}

    def add(self, address: str, close: Callable[[], object]) -> object:
        """Add a connection and return its key. Above a limit, close the oldest one.

        close: ends the connection.
        """
        key = object()
        self._pending[key] = address, close
        same = [other for other, (its, _) in self._pending.items() if its == address]
        if len(same) > self._per_address:
            self._pending.pop(same[0])[1]()
        elif len(self._pending) > self._most:
            self._pending.pop(next(iter(self._pending)))[1]()
        return key

    def remove(self, key: object) -> None:
        """Remove a connection that has requested an association or ended."""
        self._pending.pop(key, None)


class Gateway:
    """Accepts connections in a thread of its own, and relays associations to pynetdicom."""

    def __init__(
        self, settings: ListenerSettings, tls: ssl.SSLContext | None, sparing: Sparing
    ) -> None:
        self._settings, self._tls, self._sparing = settings, tls, sparing
        self._admission = Admission(settings.allow)
        self._request_seconds = min(REQUEST_SECONDS, settings.idle_seconds)
        most = settings.max_associations
        self._pending = PendingConnections(4 * most, per_address=most)
        self._places: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._beat = time.monotonic()

    def listen(self) -> Any:
        """Bind the port. Returns the address of the socket. Raises OSError."""
        settings = self._settings
        found = socket.getaddrinfo(
            settings.host or None,
            settings.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        family, _, _, _, address = min(found, key=lambda one: one[0])  # prefers IPv4
        self._listening = socket.socket(family)
        try:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listening.bind(address)
            self._listening.listen(_BACKLOG)
        except OSError:
            self._listening.close()
            raise
        self._listening.setblocking(False)
        return self._listening.getsockname()

    def start(self, serve: Serve) -> None:
        """Accept connections."""
        self._serve = serve
        begun = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(begun)), name="listener", daemon=True
        )
        self._thread.start()
        begun.wait()

    def stop(self) -> None:
        """Close every connection and the port."""
        if self._thread is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(STOP_SECONDS)
        self._listening.close()

    def silent_seconds(self) -> float | None:
        """Seconds since the last sign of life; None if the gateway does not run."""
        if self._thread is None or not self._thread.is_alive():
            return None
        return time.monotonic() - self._beat

    async def _run(self, begun: threading.Event) -> None:
        """Accept until stop(); asyncio.run then cancels the other tasks and waits for them."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_report)
        accepting = self._loop.create_task(self._accept())
        begun.set()
        while not self._end.is_set() and not accepting.done():
            self._beat = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), BEAT_SECONDS)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listening)
            except OSError as error:  # no descriptor is left, or the peer has gone
                LOGGER.debug("a connection cannot be accepted: %s", error.strerror)
                await asyncio.sleep(0.1)
                continue
            if self._admission.address_known(address[0]):
                task = loop.create_task(self._attend(connection, address))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:  # before a byte is read
                self._warn(address[0], "its address is not in listener.allow")
                connection.close()

    async def _attend(self, connection: socket.socket, address: Any) -> None:
        """Serve a connection to its end."""
        peer: Streams | None = None
        last = b""
        try:
            async with self._request_time(address[0]):
                peer = await Streams.of(connection, self._tls)
                request = await pdus.read_pdu(
                    peer.reader, (pdus.ASSOCIATE_RQ,), pdus.REQUEST_BYTES, REQUEST_SECONDS
                )
                titles = await asyncio.to_thread(pdus.AssociationRequest.read, request)
            last = pdus.abort()  # if the connection is cut off
            last = await self._associate(peer, request, titles, address)
        except pdus.PduError as error:
            self._warn(address[0], str(error))
            last = pdus.abort()
        except TimeoutError:
            self._warn(address[0], f"no association request within {self._request_seconds:g} s")
        except (EOFError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            # The peer closed it, as port checks do.
            LOGGER.debug("a connection from %s ended", address[0])
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            self._warn(address[0], f"TLS or association failed ({reason})")
        finally:
            if peer is None:
                connection.close()
            else:
                await peer.close(last)

    @contextlib.asynccontextmanager
    async def _request_time(self, address: str) -> AsyncIterator[None]:
        """Keep the connection pending until its request must be complete. Raises TimeoutError."""
        task = asyncio.current_task()
        assert task is not None

        def close() -> None:
            self._warn(address, "newer connections took its place")
            task.cancel()

        key = self._pending.add(address, close)
        try:
            async with asyncio.timeout(self._request_seconds):
                yield
        finally:
            self._pending.remove(key)

    async def _associate(
        self, peer: Streams, request: bytes, titles: pdus.AssociationRequest, address: Any
    ) -> bytes:
        """Relay the association, or reject it. Returns the last PDU to send; empty for none."""
        refusal = self._refusal(titles, address[0])
        if refusal is not None:
            answer, reason = refusal
            message = "rejected the association of %a at %s, calling %a: %s"
            self._sparing.warn(
                LOGGER, address[0], message, titles.calling, address[0], titles.called, reason
            )
            return pdus.rejection(answer)
        place = _Place(self._places, address[0])
        ours, theirs = socket.socketpair()
        inner = await Streams.of(ours)
        try:
            await asyncio.to_thread(self._serve, theirs, address)
            await Relay(peer, inner, self._settings, place.give_back).run(request)
        except TimeoutError as error:
            raise pdus.PduError("a PDU or message came too slowly") from error
        finally:
            place.give_back()
            await inner.close()
        return b""

    def _refusal(
        self, titles: pdus.AssociationRequest, address: str
    ) -> tuple[pdus.Rejection, str] | None:
        own = self._settings
        if titles.version != 1:
            return _VERSION, "another version of the protocol"
        if not self._admission.admits(titles.calling, address):
            return _CALLING, "the calling AE title is not in listener.allow for this address"
        if own.check_called and titles.called != own.ae_title.strip():
            return _CALLED, "the called AE title is not the node's"
        if self._places.count(address) >= own.max_per_address:
            return (
                _LIMIT,
                f"its address has {own.max_per_address} associations (listener.max_per_address)",
            )
        if len(self._places) >= own.max_associations:
            return (
                _LIMIT,
                f"the node has {own.max_associations} associations (listener.max_associations)",
            )
        return None

    def _warn(self, address: str, reason: str) -> None:
        self._sparing.warn(LOGGER, address, "closed a connection from %s: %s", address, reason)


class _Place:
    """One of the places for associations."""

    def __init__(self, places: list[str], address: str) -> None:
        self._places, self._address = places, address
        places.append(address)

    def give_back(self) -> None:
        """Free the place; further calls do nothing."""
        if self._address:
            self._places.remove(self._address)
            self._address = ""


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an unexpected error of the event loop without its text."""
    error = context.get("exception")
    LOGGER.error("a fault in the listener (%s)", type(error).__name__ if error else "none")
