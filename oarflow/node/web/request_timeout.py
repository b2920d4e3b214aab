"""HTTP connections that bring nothing are closed: they would take the places of those that do."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""From the connection, or the first byte of a further request, to the request's last byte. Bodies
are small here; between requests uvicorn's own limit holds."""


class RequestTimeoutProtocol(H11Protocol):
    """uvicorn's protocol with a limit on the time in which a request must have come."""

    _expected: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._expect()
        else:
            self._came()

    def _expect(self) -> None:
        """A byte now and then does not win time."""
        if self._expected is None:
            self._expected = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _came(self) -> None:
        if self._expected is not None:
            self._expected.cancel()
            self._expected = None
