"""Settings of the section `web`."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Network, Port, Section, ServerTls


class WebSettings(Section):
    """The section `web`: the web page."""

    enabled: bool = True
    """Whether the page is served."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all addresses of the machine."""
    port: Port = 8042
    """The port to listen on."""
    tls: ServerTls | None = None
    """TLS of the page. Default: no TLS."""
    plain_http: bool = False
    """Whether to serve other machines without TLS. Set it to true only if a proxy in front of the
    page has TLS."""
    hosts: tuple[str, ...] = Field(default=("localhost", "127.0.0.1", "[::1]"), min_length=1)
    """The host names of the page. The node refuses requests under other names."""
    proxies: tuple[Network, ...] = ()
    """Addresses or networks (CIDR) of proxies. The node reads X-Forwarded-For from these only."""
    session_hours: float = Field(default=8, gt=0, le=24)
    """How long a sign-in lasts at most."""
    idle_minutes: float = Field(default=30, gt=0)
    """How long a sign-in lasts without a request."""
    rows: int = Field(default=50, ge=1, le=500)
    """Rows on one page of the list of studies."""

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.tls is not None or self.plain_http

    @model_validator(mode="after")
    def _no_passwords_in_the_clear(self) -> Self:
        if not _loopback(self.host) and not self.secure:
            raise ValueError("web.host beyond localhost needs tls, or plain_http behind a proxy")
        return self


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
