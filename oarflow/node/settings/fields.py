"""What the sections of the node's settings share."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x20-\x5b\x5d-\x7e]+$")]
"""As PS3.5 has it: ASCII without backslash."""

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Megabytes = Annotated[int, Field(ge=1)]


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


Network = Annotated[str, AfterValidator(_network)]
"""An address or a network in CIDR notation."""

Event = Literal["dead letter", "held", "failed"]
"""The states of a job in which it waits for a person, who is told."""


class Section(BaseModel):
    """A section: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerTls(Section):
    """TLS of a server, version 1.2 or later. Files are PEM."""

    certificate: Path
    """The server's certificate."""
    key: Path
    """Key of the certificate."""
    ca: Path | None = None
    """Certificate of the authority that signs the clients' certificates."""
    client_certificates: Literal["required", "none"] = "required"
    """Whether clients need a certificate. `required` needs `ca`."""


class ClientTls(Section):
    """TLS towards another system. Files are PEM."""

    ca: Path
    """Certificate of the authority that signs the other system's certificate."""
    certificate: Path | None = None
    """The node's certificate, if the other system asks for one."""
    key: Path | None = None
    """Key of the node's certificate."""
    check_hostname: bool = True
    """Whether the other system's certificate must name its host."""


class Peer(Section):
    """A DICOM system that the node calls."""

    ae_title: AeTitle
    """AE title of the system."""
    host: str = Field(min_length=1)
    """Its name or address."""
    port: Port
    """Its port."""
    tls: ClientTls | None = None
    """TLS towards the system."""


class WebSignIn(Section):
    """Sign-in at a DICOMweb service."""

    ca: Path | None = None
    """Certificate of the authority that signs the service's certificate; null: the machine's."""
    certificate: Path | None = None
    """The node's certificate."""
    key: Path | None = None
    """Key of the node's certificate."""
    token: Path | None = None
    """File that holds a bearer token."""
    user: str | None = None
    """User for signing in."""
    password: Path | None = None
    """File that holds the user's password."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self

    def authorization(self) -> str | None:
        """The HTTP header Authorization, its secrets read now; None without a sign-in.

        Raises OSError.
        """
        if self.token is not None:
            return f"Bearer {self.token.read_text(encoding='ascii').strip()}"
        if self.user is None or self.password is None:
            return None
        password = self.password.read_text(encoding="utf-8").strip()
        return f"Basic {b64encode(f'{self.user}:{password}'.encode()).decode('ascii')}"
