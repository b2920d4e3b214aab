"""The web server as a part of the node."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable

import uvicorn

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.parts import NodeContext
from oarflow.node.listener.tls import server_context
from oarflow.node.settings.fields import ServerTls
from oarflow.node.web.application import make_application
from oarflow.node.web.protection import WithoutText
from oarflow.node.web.request_timeout import RequestTimeoutProtocol

LOGGER = logging.getLogger(__name__)

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


_WITHOUT_TEXT = WithoutText()


class WebServer:
    """The part of the node that serves the page, with uvicorn in a thread of its own."""

    name = "web"

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._settings = context.settings.web
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port in use."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start to serve. Raises ConfigurationError (WEB, TLS)."""
        config = self._config()
        try:
            family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
            self._socket = socket.create_server(
                (self._settings.host, self._settings.port), family=family
            )
            config.load()
        except OSError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise ConfigurationError("WEB", f"cannot serve on {where}: {error.strerror}") from error
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="web", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)
        if self._settings.plain_http and not self._settings.proxies:
            LOGGER.warning("web.proxies is empty: all users behind a proxy count as one address")
        scheme = "https" if self._settings.tls else "http"
        LOGGER.info("the page is at %s://%s:%d", scheme, self._settings.host, self.port)

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            make_application(self._context),
            # The audit log has who looked at what; the access log is not needed.
            access_log=False,
            log_config=None,
            server_header=False,
            # make_application handles the proxies of the settings.
            proxy_headers=False,
            lifespan="off",
            timeout_keep_alive=15,
            limit_concurrency=200,
            h11_max_incomplete_event_size=32768,
            http=RequestTimeoutProtocol,
            ws="none",
            ssl_context_factory=_context_factory(self._settings.tls),
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        logging.getLogger("uvicorn.error").addFilter(_WITHOUT_TEXT)
        return config

    def stop(self) -> None:
        """Stop to serve."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        if self._socket is not None:
            self._socket.close()

    def trouble(self) -> str | None:
        if self._thread is None or not self._thread.is_alive():
            return "the page does not run"
        return None


def _context_factory(tls: ServerTls | None) -> Callable[..., ssl.SSLContext] | None:
    """The function that gives uvicorn its TLS context. Raises ConfigurationError (TLS)."""
    if tls is None:
        return None
    context = server_context(tls)
    return lambda *_: context
