"""The listener's port: who may connect, how many at once, and how soon they must ask.

A connection takes a place among the associations only with a whole, valid A-ASSOCIATE-RQ. Port
scanners, load balancers' checks and slow or silent peers therefore keep nobody out: they are
only pending here, and the oldest gives way to the newest. pynetdicom sees none of them.
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
"""From the connection to the last byte of the association request, TLS included; the idle time,
where that is shorter."""

BEAT_SECONDS = 1.0
STOP_SECONDS = 10.0
_BACKLOG = 128

_CALLING, _CALLED, _VERSION, _LIMIT = (1, 1, 3), (1, 1, 7), (1, 2, 2), (2, 3, 2)
"""Permanently, a title or the protocol is not known; for now, too many associations."""

Serve = Callable[[socket.socket, Any], None]
"""Is given one end of a pair of sockets, and the address of the peer at the other."""


class PendingConnections:
    """Connections without an association request, oldest first.

    most: of all addresses together. per_address: of one.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._pending: dict[object, tuple[str, Callable[[], object]]] = {}

    def add(self, address: str, close: Callable[[], object]) -> object:
        """Add one, by its key; where there are too many, close the oldest of the address or of all.

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
        """It has asked for an association, or ended."""
        self._pending.pop(key, None)


class Gateway:
    """Accepts connections, in a thread of its own, and relays those that become associations."""

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
        """Take the port: its address, as its socket has it. Raises OSError."""
        settings = self._settings
        found = socket.getaddrinfo(
            settings.host or None,
            settings.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        family, _, _, _, address = min(found, key=lambda one: one[0])  # IPv4, where there is both
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
        """Let peers in."""
        self._serve = serve
        begun = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(begun)), name="listener", daemon=True
        )
        self._thread.start()
        begun.wait()

    def stop(self) -> None:
        """End every connection, and free the port."""
        if self._thread is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(STOP_SECONDS)
        self._listening.close()

    def silent_seconds(self) -> float | None:
        """Since the last sign of life; None where it does not run."""
        if self._thread is None or not self._thread.is_alive():
            return None
        return time.monotonic() - self._beat

    async def _run(self, begun: threading.Event) -> None:
        """Until stop(); asyncio.run then cancels the other tasks, and waits for their end."""
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
                self._warn(address[0], "its address is not on the list")
                connection.close()

    async def _attend(self, connection: socket.socket, address: Any) -> None:
        """A connection, from its first byte to its last."""
        peer: Streams | None = None
        last = b""
        try:
            async with self._request_time(address[0]):
                peer = await Streams.of(connection, self._tls)
                request = await pdus.read_pdu(
                    peer.reader, (pdus.ASSOCIATE_RQ,), pdus.REQUEST_BYTES, REQUEST_SECONDS
                )
                titles = await asyncio.to_thread(pdus.AssociationRequest.read, request)
            last = pdus.abort()  # where it is cut off
            last = await self._associate(peer, request, titles, address)
        except pdus.PduError as error:
            self._warn(address[0], str(error))
            last = pdus.abort()
        except TimeoutError:
            self._warn(address[0], f"no association request within {self._request_seconds:g} s")
        except (EOFError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            # The peer closed it: so does every check whether the port is open.
            LOGGER.debug("a connection from %s ended", address[0])
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            self._warn(address[0], f"no TLS or no association with it ({reason})")
        finally:
            if peer is None:
                connection.close()
            else:
                await peer.close(last)

    @contextlib.asynccontextmanager
    async def _request_time(self, address: str) -> AsyncIterator[None]:
        """The connection is pending, for so long as a request may take. Raises TimeoutError."""
        task = asyncio.current_task()
        assert task is not None

        def close() -> None:
            self._warn(address, "newer ones took its place")
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
        """Relay the association, or reject it: the PDU that is to be sent last, if any."""
        refusal = self._refusal(titles, address[0])
        if refusal is not None:
            answer, reason = refusal
            message = "an association of %a at %s, calling %a, is rejected: %s"
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
            return _VERSION, "it is of another version of the protocol"
        if not self._admission.admits(titles.calling, address):
            return _CALLING, "the calling AE title is not accepted"
        if own.check_called and titles.called != own.ae_title.strip():
            return _CALLED, "the called AE title is not accepted"
        if self._places.count(address) >= own.max_per_address:
            return _LIMIT, f"its address has {own.max_per_address} associations already"
        if len(self._places) >= own.max_associations:
            return _LIMIT, f"there are {own.max_associations} associations already"
        return None

    def _warn(self, address: str, reason: str) -> None:
        self._sparing.warn(LOGGER, address, "a connection from %s is closed: %s", address, reason)


class _Place:
    """One of the places for associations, until it is given back."""

    def __init__(self, places: list[str], address: str) -> None:
        self._places, self._address = places, address
        places.append(address)

    def give_back(self) -> None:
        """Once is enough."""
        if self._address:
            self._places.remove(self._address)
            self._address = ""


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no connection took for its own, without what it may quote."""
    error = context.get("exception")
    LOGGER.error("a fault in the listener (%s)", type(error).__name__ if error else "none")
