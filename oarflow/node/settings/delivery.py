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
"""What a destination can take. The last two are no DICOM: folders alone take them."""

NO_DICOM: tuple[ObjectKind, ...] = ("REPORT_PDF", "REPORT_HTML")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Of a destination: it stands in logs and metrics."""


class _Destination(Section):
    """What every destination has."""

    objects: tuple[ObjectKind, ...] = Field(default=("RTSTRUCT",), min_length=1)
    """Objects to send, in this order. The last two are for folders only."""
    refusals: bool = False
    """Send the reason of a refused study as a PDF."""
    timeout_seconds: Seconds = 60
    """Longest silence of the other side."""


class DicomDestination(_Destination):
    """A DICOM system that receives by C-STORE."""

    kind: Literal["dicom"]
    """Delivery by C-STORE."""
    ae_title: AeTitle
    """AE title of the system."""
    host: str = Field(min_length=1)
    """Its name or address."""
    port: Port = 104
    """Its port."""
    tls: ClientTls | None = None
    """TLS towards the system."""
    commitment: bool = True
    """Request storage commitment if the system offers it."""
    commitment_seconds: Seconds = 3600
    """Longest wait for its report before it is asked again."""


class DicomWebDestination(_Destination, WebSignIn):
    """A DICOMweb service that receives by STOW-RS."""

    kind: Literal["dicomweb"]
    """Delivery by STOW-RS."""
    url: str = Field(pattern=r"^https?://[^@\s]+$")
    """Address of the service, without `/studies`."""


class FolderDestination(_Destination):
    """A folder, such as a share that another system watches."""

    kind: Literal["folder"]
    """Delivery as files."""
    path: Path
    """The folder."""


Destination = Annotated[
    DicomDestination | DicomWebDestination | FolderDestination, Field(discriminator="kind")
]


class DeliveryRule(Section):
    """Which studies go where. All patterns of a rule must match.

    Patterns are the shell's (`*`, `?`, `[ab]`); they match the whole value, ignoring case.
    """

    calling_ae: str = "*"
    """Pattern for the sender's AE title."""
    station: str = "*"
    """Pattern for Station Name."""
    study_description: str = "*"
    """Pattern for Study Description."""
    series_description: str = "*"
    """Pattern for Series Description."""
    to: tuple[Name, ...]
    """Names of destinations; an empty list delivers nowhere."""


class Retry(Section):
    """Pauses between attempts, of deliveries and of alarms."""

    first_seconds: Seconds = 30
    """The first pause."""
    factor: float = Field(default=2, ge=1, le=10)
    """Each further pause is this many times longer."""
    longest_seconds: Seconds = 3600
    """The longest pause."""
    give_up_hours: float = Field(default=24, gt=0)
    """Sum of the pauses after which an object becomes a dead letter."""


class Mail(Section):
    """An SMTP server that takes alarms."""

    host: str
    """Its name or address."""
    port: Port = 25
    """Its port."""
    encryption: Literal["none", "starttls", "tls"] = "starttls"
    """`tls` encrypts from the first byte."""
    user: str | None = None
    """User for signing in."""
    password: Path | None = None
    """File that holds the password."""
    sender: str
    """Address of the sender."""
    to: tuple[str, ...] = Field(min_length=1)
    """Addresses of the receivers."""


class AlarmSettings(Section):
    """Alarms for jobs that wait for a person. The log and the metrics have them always."""

    events: tuple[Event, ...] = ("dead letter", "held", "failed")
    """States of a job that raise an alarm."""
    webhook: str | None = Field(default=None, pattern=r"^https?://", repr=False)
    """Address that takes JSON by POST."""
    mail: Mail | None = None
    """Mail server for alarms."""


class DeliverySettings(Section):
    """Where results go."""

    ae_title: AeTitle | None = None
    """AE title of the node as a sender; null: the listener's title."""
    destinations: dict[Name, Destination] = Field(default_factory=dict)
    """Destinations by name. The names appear in logs and metrics."""
    rules: tuple[DeliveryRule, ...] = ()
    """The first rule that matches decides."""
    otherwise: tuple[Name, ...] = ()
    """Names of destinations for studies that no rule matches."""
    retry: Retry = Retry()
    """Pauses between attempts."""
    alarm: AlarmSettings = AlarmSettings()
    """Alarms for jobs that wait for a person."""
    poll_seconds: Seconds = 2
    """How often the node looks for deliveries and alarms that are due."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {name for rule in self.rules for name in rule.to} | {*self.otherwise}
        if unknown := sorted(named - set(self.destinations)):
            known = ", ".join(self.destinations) or "none"
            raise ValueError(f"no destination {unknown[0]!r}; there are: {known}")
        for name, destination in self.destinations.items():
            files = set(destination.objects) & set(NO_DICOM)
            if files and destination.kind != "folder":
                raise ValueError(f"{name}: {sorted(files)[0]} is no DICOM; a folder alone takes it")
        return self
