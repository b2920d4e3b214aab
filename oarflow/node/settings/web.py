"""Settings of the section `web`."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Network, Port, Section, ServerTls


class WebSettings(Section):
    """The web page."""

    enabled: bool = True
    """Serve the page."""
    host: str = "127.0.0.1"
    """Address on which the page is served. Other addresses than this machine's need `tls`, or
    `plain_http` behind a proxy."""
    port: Port = 8042
    """Port of the page."""
    tls: ServerTls | None = None
    """TLS of the page; null: none."""
    plain_http: bool = False
    """Serve other machines without TLS, because a proxy in front of the page has TLS."""
    hosts: tuple[str, ...] = Field(default=("localhost", "127.0.0.1", "[::1]"), min_length=1)
    """Names by which browsers call the page. Requests for other names are rejected."""
    proxies: tuple[Network, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    session_hours: float = Field(default=8, gt=0, le=24)
    """Longest time of a sign-in."""
    idle_minutes: float = Field(default=30, gt=0)
    """Time without a request after which a sign-in ends."""
    rows: int = Field(default=50, ge=1, le=500)
    """Studies on one page of the list."""

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.tls is not None or self.plain_http

    @model_validator(mode="after")
    def _no_passwords_in_the_clear(self) -> Self:
        if not _loopback(self.host) and not self.secure:
            raise ValueError("beyond this machine it needs tls, or plain_http behind a TLS proxy")
        return self


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
