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
    """Who may call. ae_title: None for any; addresses: where it may call from."""

    ae_title: AeTitle | None = None
    addresses: tuple[Network, ...] = Field(default=LOOPBACK, min_length=1)


class ListenerSettings(Section):
    """What the node accepts from the network.

    max_associations: of all senders together; max_per_address: of one of them, by its address.
    """

    ae_title: AeTitle = "OARFLOW"
    host: str = "127.0.0.1"
    port: Port = 11112
    check_called: bool = True
    allow: tuple[Caller, ...] = (Caller(),)
    tls: ServerTls | None = None
    max_associations: int = Field(default=20, ge=1)
    max_per_address: int = Field(default=10, ge=1)
    max_pdu: int = Field(default=131072, ge=4096)
    idle_seconds: Seconds = 60
    max_instance_mb: Megabytes = 256
    max_inflated_mb: Megabytes = 512
