"""Closes HTTP connections that send no complete request in time."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""The longest time (s) from the connection, or from the first byte of a further request, to the
request's end. Between requests, uvicorn's own limit applies."""


class RequestTimeoutProtocol(H11Protocol):
    """uvicorn's protocol with a time limit for a complete request."""

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
        """Start the time limit, which further bytes do not extend."""
        if self._expected is None:
            self._expected = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _came(self) -> None:
        if self._expected is not None:
            self._expected.cancel()
            self._expected = None
