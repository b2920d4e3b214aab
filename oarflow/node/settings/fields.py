"""Types and parts that several sections of the node's settings share."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x20-\x5b\x5d-\x7e]+$")]
"""An AE title (PS3.5, 6.2): 1 to 16 ASCII characters without backslash."""

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Megabytes = Annotated[int, Field(ge=1)]


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


Network = Annotated[str, AfterValidator(_network)]
"""An address or a network in CIDR notation."""

Event = Literal["dead letter", "held", "failed"]
"""The states of a job that raise an alarm, because a person must act."""


class Section(BaseModel):
    """A section of the settings. Unknown keys are errors. The text under a key describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ServerTls(Section):
    """TLS of a port on which the node listens: version 1.2 or later, with forward secrecy."""

    certificate: Path
    """The node's certificate, a PEM file."""
    key: Path
    """The certificate's private key, a PEM file."""
    ca: Path | None = None
    """Certificates of the authority that signs the clients' certificates, a PEM file."""
    client_certificates: Literal["required", "none"] = "required"
    """`required`: clients need a certificate that `ca` signed. `none`: they need none."""


class ClientTls(Section):
    """TLS of connections that the node opens: version 1.2 or later, with forward secrecy."""

    ca: Path
    """Certificates of the authority that signs the peer's certificate, a PEM file."""
    certificate: Path | None = None
    """The node's certificate, a PEM file, if the peer asks for one."""
    key: Path | None = None
    """The private key of the node's certificate, a PEM file."""
    check_hostname: bool = True
    """Whether the peer's certificate must name `host`. If false, the node accepts any certificate
    that `ca` signed."""


class Peer(Section):
    """A DICOM system that the node calls."""

    ae_title: AeTitle
    """The system's AE title."""
    host: str = Field(min_length=1)
    """The system's name or address."""
    port: Port
    """The system's DICOM port."""
    tls: ClientTls | None = None
    """TLS of the connection. Default: no TLS."""


class WebSignIn(Section):
    """Certificates and credentials for a DICOMweb service."""

    ca: Path | None = None
    """Certificates of the authority that signs the service's certificate, a PEM file. Default: the
    machine's own list."""
    certificate: Path | None = None
    """The node's certificate, a PEM file, if the service asks for one."""
    key: Path | None = None
    """The private key of the node's certificate, a PEM file."""
    token: Path | None = None
    """A file with a bearer token in one line."""
    user: str | None = None
    """The user name for basic authentication."""
    password: Path | None = None
    """A file with the password in one line."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self

    def authorization(self) -> str | None:
        """Value of the HTTP header Authorization; None without token and user.

        Reads the files with the secrets. Raises OSError.
        """
        if self.token is not None:
            return f"Bearer {self.token.read_text(encoding='ascii').strip()}"
        if self.user is None or self.password is None:
            return None
        password = self.password.read_text(encoding="utf-8").strip()
        return f"Basic {b64encode(f'{self.user}:{password}'.encode()).decode('ascii')}"
