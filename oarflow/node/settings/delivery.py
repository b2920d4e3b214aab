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
    """objects: what is sent, in this order. refusals: send a refused study's reason, as a PDF.

    timeout_seconds: how long the other side may be silent.
    """

    objects: tuple[ObjectKind, ...] = Field(default=("RTSTRUCT",), min_length=1)
    refusals: bool = False
    timeout_seconds: Seconds = 60


class DicomDestination(_Destination):
    """A C-STORE SCP.

    commitment: ask the peer to commit to what it stored, where it offers that.
    commitment_seconds: how long its report may take before it is asked again.
    """

    kind: Literal["dicom"]
    ae_title: AeTitle
    host: str = Field(min_length=1)
    port: Port = 104
    tls: ClientTls | None = None
    commitment: bool = True
    commitment_seconds: Seconds = 3600


class DicomWebDestination(_Destination, WebSignIn):
    """A STOW-RS service. url: what `/studies` follows."""

    kind: Literal["dicomweb"]
    url: str = Field(pattern=r"^https?://[^@\s]+$")


class FolderDestination(_Destination):
    """A folder, such as a share that another system watches."""

    kind: Literal["folder"]
    path: Path


Destination = Annotated[
    DicomDestination | DicomWebDestination | FolderDestination, Field(discriminator="kind")
]


class DeliveryRule(Section):
    """Which studies go where; what is left out fits all.

    Patterns are the shell's (`*`, `?`, `[ab]`), whatever the case, over the whole value.
    """

    calling_ae: str = "*"
    station: str = "*"
    study_description: str = "*"
    series_description: str = "*"
    to: tuple[Name, ...]


class Retry(Section):
    """first_seconds: the first pause; each further one is `factor` times longer, at most
    longest_seconds. give_up_hours: the pauses' sum after which an object is a dead letter.
    """

    first_seconds: Seconds = 30
    factor: float = Field(default=2, ge=1, le=10)
    longest_seconds: Seconds = 3600
    give_up_hours: float = Field(default=24, gt=0)


class Mail(Section):
    """An SMTP server that takes alarms. password: a file that holds it."""

    host: str
    port: Port = 25
    encryption: Literal["none", "starttls", "tls"] = "starttls"
    user: str | None = None
    password: Path | None = None
    sender: str
    to: tuple[str, ...] = Field(min_length=1)


class AlarmSettings(Section):
    """Who is told, besides log and metrics, that a job waits for a person. events: of what.

    webhook: takes JSON by POST.
    """

    events: tuple[Event, ...] = ("dead letter", "held", "failed")
    webhook: str | None = Field(default=None, pattern=r"^https?://", repr=False)
    mail: Mail | None = None


class DeliverySettings(Section):
    """The section `delivery`. The first rule that fits decides; where none fits, `otherwise`.

    ae_title: how the node calls itself; None: the listener's title.
    poll_seconds: how often the node looks for deliveries and alarms that are due.
    """

    ae_title: AeTitle | None = None
    destinations: dict[Name, Destination] = Field(default_factory=dict)
    rules: tuple[DeliveryRule, ...] = ()
    otherwise: tuple[Name, ...] = ()
    retry: Retry = Retry()
    alarm: AlarmSettings = AlarmSettings()
    poll_seconds: Seconds = 2

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
