"""Settings of the section `listener`: who may call, and what the node accepts."""

from __future__ import annotations

from pydantic import Field

from oarflow.node.settings.fields import (
    AeTitle,
    Megabytes,
    Network,
    Port,
    Seconds,
    Section,
    ServerTls,
)

LOOPBACK = ("127.0.0.0/8", "::1/128")


class Caller(Section):
    """A system that may call."""

    ae_title: AeTitle | None = None
    """Its AE title; null: any title."""
    addresses: tuple[Network, ...] = Field(default=LOOPBACK, min_length=1)
    """Addresses or networks that it calls from."""


class ListenerSettings(Section):
    """What the node accepts from the network."""

    ae_title: AeTitle = "OARFLOW"
    """The node's AE title."""
    host: str = "127.0.0.1"
    """Address on which the node listens; 0.0.0.0 for all addresses of the machine."""
    port: Port = 11112
    """Port on which the node listens."""
    check_called: bool = True
    """Reject callers that use another called AE title than the node's."""
    allow: tuple[Caller, ...] = (Caller(),)
    """Systems that may call. By default any title, from this machine only."""
    tls: ServerTls | None = None
    """TLS of the listener; null: none."""
    max_associations: int = Field(default=20, ge=1)
    """Most associations at once."""
    max_per_address: int = Field(default=10, ge=1)
    """Most associations at once from one address."""
    max_pdu: int = Field(default=131072, ge=4096)
    """Longest PDU in bytes."""
    idle_seconds: Seconds = 60
    """Longest silence within an association."""
    max_instance_mb: Megabytes = 256
    """Largest instance."""
    max_inflated_mb: Megabytes = 512
    """Largest size of a deflated data set after inflation."""
