"""Checks of every request: host name, size and origin; security headers of every answer."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oarflow.node.settings.web import WebSettings

LOGGER = logging.getLogger(__name__)

FOR_PROGRAMS = ("/healthz", "/metrics")
"""Paths that answer under every host name, since probes use addresses of pods and containers. They
show states and counts, and no patient data."""

MAX_BODY = 16384
"""The longest form in bytes."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_SANDBOX = "allow-scripts allow-forms allow-downloads allow-modals"
"""Rights of the report in its frame. Saving a review needs forms and downloads, although the form
is not sent (`form-action 'none'`). The question about an unsaved review needs modals."""

REPORT_POLICY = (
    f"sandbox {REPORT_SANDBOX}; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""The policy of the report: an origin of its own, without the page's cookie. The report's own
policy, which allows its scripts by digest, applies too."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers would hide the origin of the page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Protection:
    """The application with checks of requests and security headers."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._hosts = {host.lower() for host in settings.hosts}
        self._secure = settings.secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, self._with_headers(watched))
        except Exception as error:  # the server would log the error with its text
            LOGGER.error("web: a fault (%s)", type(error).__name__)
            if not begun:
                answer = PlainTextResponse("The node has a fault. See its log.", 500)
                await answer(scope, receive, self._with_headers(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        complaint = self._complaint(scope["method"], scope["path"], Headers(scope=scope))
        if complaint is not None:
            status, words = complaint
            await PlainTextResponse(words, status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _complaint(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if _without_port(host) not in self._hosts and path not in FOR_PROGRAMS:
            return 421, "The settings do not allow this host name: add it to web.hosts."
        if method not in ("GET", "HEAD", "POST"):
            return 405, "This method is not allowed."
        if method == "POST":
            if not headers.get("content-length", "").isdigit():
                return 411, "The request has no Content-Length."
            if int(headers["content-length"]) > MAX_BODY:
                return 413, "The request is too large."
            if not _own_origin(headers, host):
                return 403, "This request comes from another page."
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                headers.setdefault("Cache-Control", "no-store")
                framed = headers["Content-Security-Policy"] == REPORT_POLICY
                headers["X-Frame-Options"] = "SAMEORIGIN" if framed else "DENY"
                if self._secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        return sending


class WithoutText(logging.Filter):
    """Removes texts of exceptions, which may quote patient data, from the server's log."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        record.exc_info = record.exc_text = record.stack_info = None
        if kind is not None:
            record.msg, record.args = f"{str(record.msg).strip()} ({kind.__name__})", ()
        elif isinstance(record.args, tuple):
            record.args = tuple(_kind_of(one) for one in record.args)
        return True


def _kind_of(argument: object) -> object:
    return type(argument).__name__ if isinstance(argument, BaseException) else argument


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _own_origin(headers: Headers, host: str) -> bool:
    """Whether a form comes from the page, as far as the browser states its origin."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host


class Throttle:
    """A limit on the number of events within a time, by address."""

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._events: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def full(self, address: str) -> bool:
        """Whether the address has reached the limit."""
        with self._lock:
            return len(self._recent(address)) >= self._limit

    def count(self, address: str) -> None:
        """Count an event."""
        with self._lock:
            if len(self._events) > 10000:
                self._events = {name: e for name, e in self._events.items() if self._recent(name)}
            self._recent(address).append(self._clock())

    def _recent(self, address: str) -> deque[float]:
        events = self._events.setdefault(address, deque())
        while events and self._clock() - events[0] > self._seconds:
            events.popleft()
        return events
