"""Settings of the section `listener`."""

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
    """A system that may call the node."""

    ae_title: AeTitle | None = None
    """The system's AE title. Default: any."""
    addresses: tuple[Network, ...] = Field(default=LOOPBACK, min_length=1)
    """Addresses or networks (CIDR) from which it may call."""


class ListenerSettings(Section):
    """The section `listener`: the DICOM port, the systems that may call, and limits."""

    ae_title: AeTitle = "OARFLOW"
    """The node's AE title."""
    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all addresses of the machine."""
    port: Port = 11112
    """The port to listen on."""
    check_called: bool = True
    """Whether callers must call the node by its AE title."""
    allow: tuple[Caller, ...] = (Caller(),)
    """The systems that may call. Default: any AE title, from the node's machine only."""
    tls: ServerTls | None = None
    """TLS of the port. Default: no TLS."""
    max_associations: int = Field(default=20, ge=1)
    """The most associations at once, from all senders together."""
    max_per_address: int = Field(default=10, ge=1)
    """The most associations at once from one address."""
    max_pdu: int = Field(default=131072, ge=4096)
    """The longest PDU that the node receives, in bytes."""
    idle_seconds: Seconds = 60
    """The longest silence of a peer, and the longest time that one PDU may take to arrive."""
    max_instance_mb: Megabytes = 256
    """The largest instance that the node stores."""
    max_inflated_mb: Megabytes = 512
    """The largest size to which a deflated data set may grow."""
