"""Settings of the section `delivery`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import (
    AeTitle,
    ClientTls,
    Event,
    Port,
    Seconds,
    Section,
    WebSignIn,
)

ObjectKind = Literal["RTSTRUCT", "SEG", "ENCAPSULATED_PDF", "REPORT_PDF", "REPORT_HTML"]
"""Kinds of files that a destination can get. Only folders get the last two, which are not DICOM."""

NO_DICOM: tuple[ObjectKind, ...] = ("REPORT_PDF", "REPORT_HTML")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Name of a destination, as in logs and metrics."""


class _Destination(Section):
    """Settings that all destinations have."""

    objects: tuple[ObjectKind, ...] = Field(default=("RTSTRUCT",), min_length=1)
    """The files that the destination gets, in this order. Only folders take REPORT_PDF and
    REPORT_HTML."""
    refusals: bool = False
    """Whether to send the reason of a refused study, as an Encapsulated PDF."""
    timeout_seconds: Seconds = 60
    """How long the destination may be silent."""


class DicomDestination(_Destination):
    """A destination that takes DICOM objects by C-STORE."""

    kind: Literal["dicom"]
    """`dicom`."""
    ae_title: AeTitle
    """The destination's AE title."""
    host: str = Field(min_length=1)
    """The destination's name or address."""
    port: Port = 104
    """The destination's DICOM port."""
    tls: ClientTls | None = None
    """TLS of the connection. Default: no TLS."""
    commitment: bool = True
    """Whether to ask for storage commitment if the destination offers it."""
    commitment_seconds: Seconds = 3600
    """How long the node waits for a commitment report before it asks again."""


class DicomWebDestination(_Destination, WebSignIn):
    """A destination that takes DICOM objects by STOW-RS."""

    kind: Literal["dicomweb"]
    """`dicomweb`."""
    url: str = Field(pattern=r"^https?://[^@\s]+$")
    """The URL of the service, before `/studies`."""


class FolderDestination(_Destination):
    """A folder, such as a share that another system watches."""

    kind: Literal["folder"]
    """`folder`."""
    path: Path
    """The folder."""


Destination = Annotated[
    DicomDestination | DicomWebDestination | FolderDestination, Field(discriminator="kind")
]


class DeliveryRule(Section):
    """A rule that decides where studies go. The patterns use `*`, `?` and `[ab]` and ignore case.

    A pattern must match the whole value. A key that is left out matches every value.
    """

    calling_ae: str = "*"
    """Pattern of the sender's AE title."""
    station: str = "*"
    """Pattern of Station Name (0008,1010)."""
    study_description: str = "*"
    """Pattern of Study Description (0008,1030)."""
    series_description: str = "*"
    """Pattern of Series Description (0008,103E)."""
    to: tuple[Name, ...]
    """Names of destinations. An empty list sends the study nowhere."""


class Retry(Section):
    """Pauses between attempts of deliveries and alarms."""

    first_seconds: Seconds = 30
    """The first pause."""
    factor: float = Field(default=2, ge=1, le=10)
    """Each pause is this many times as long as the one before."""
    longest_seconds: Seconds = 3600
    """The longest pause."""
    give_up_hours: float = Field(default=24, gt=0)
    """The node gives up when the growing pauses would add up to more than this. With the defaults,
    it gives up after 30 attempts. The delivery is then a dead letter."""


class Mail(Section):
    """An SMTP server that takes alarms."""

    host: str
    """The server's name or address."""
    port: Port = 25
    """The server's port."""
    encryption: Literal["none", "starttls", "tls"] = "starttls"
    """`starttls`: TLS after STARTTLS. `tls`: TLS from the first byte. `none`: no TLS."""
    user: str | None = None
    """The user name, if the server asks for one."""
    password: Path | None = None
    """A file with the password in one line."""
    sender: str
    """The address that the mail comes from."""
    to: tuple[str, ...] = Field(min_length=1)
    """The addresses that the mail goes to."""


class AlarmSettings(Section):
    """Alarms for jobs that wait for a person. The log has every alarm."""

    events: tuple[Event, ...] = ("dead letter", "held", "failed")
    """The states that raise an alarm."""
    webhook: str | None = Field(default=None, pattern=r"^https?://", repr=False)
    """A URL that takes JSON by POST."""
    mail: Mail | None = None
    """A mail server. Default: no mail."""


class DeliverySettings(Section):
    """The section `delivery`: destinations, rules, retries and alarms."""

    ae_title: AeTitle | None = None
    """The AE title of the node when it calls a peer. Default: the listener's."""
    destinations: dict[Name, Destination] = Field(default_factory=dict)
    """The destinations. You choose their names."""
    rules: tuple[DeliveryRule, ...] = ()
    """Rules. The first rule that matches a study decides."""
    otherwise: tuple[Name, ...] = ()
    """Destinations of studies that no rule matches."""
    retry: Retry = Retry()
    """Pauses between attempts."""
    alarm: AlarmSettings = AlarmSettings()
    """Alarms."""
    poll_seconds: Seconds = 2
    """How often the node looks for deliveries and alarms that are due."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {name for rule in self.rules for name in rule.to} | {*self.otherwise}
        if unknown := sorted(named - set(self.destinations)):
            known = ", ".join(self.destinations) or "none"
            raise ValueError(f"no destination {unknown[0]!r}; known are: {known}")
        for name, destination in self.destinations.items():
            files = set(destination.objects) & set(NO_DICOM)
            if files and destination.kind != "folder":
                raise ValueError(f"{name}: {sorted(files)[0]} is not DICOM: only folders take it")
        return self
