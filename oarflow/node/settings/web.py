"""Settings of the section `web`."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Network, Port, Section, ServerTls


class WebSettings(Section):
    """The section `web`.

    plain_http: serve others than this machine without TLS, since a proxy before it has TLS.
    hosts: names by which browsers call it; others are turned away. proxies: whose word on where a
    request comes from (X-Forwarded-For) is believed. session_hours: how long a sign-in lasts.
    idle_minutes: without a request for so long, it ends sooner. rows: on a page of the list.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8042
    tls: ServerTls | None = None
    plain_http: bool = False
    hosts: tuple[str, ...] = Field(default=("localhost", "127.0.0.1", "[::1]"), min_length=1)
    proxies: tuple[Network, ...] = ()
    session_hours: float = Field(default=8, gt=0, le=24)
    idle_minutes: float = Field(default=30, gt=0)
    rows: int = Field(default=50, ge=1, le=500)

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
