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
    """TLS of something that listens. ca: who signs the clients' certificates."""

    certificate: Path
    key: Path
    ca: Path | None = None
    client_certificates: Literal["required", "none"] = "required"


class ClientTls(Section):
    """TLS towards a peer. ca: who signs its certificate; certificate and key: our own."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    check_hostname: bool = True


class Peer(Section):
    """A DICOM system that we call."""

    ae_title: AeTitle
    host: str = Field(min_length=1)
    port: Port
    tls: ClientTls | None = None


class WebSignIn(Section):
    """How a DICOMweb service is trusted, and told who we are.

    ca: who signs its certificate; None: whom this machine trusts. certificate, key: our own.
    token, password: files that hold them.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    user: str | None = None
    password: Path | None = None

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
