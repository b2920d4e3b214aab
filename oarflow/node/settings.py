"""The node's settings (YAML): every key with its default, checked; errors name the key."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from oarflow.errors import ConfigurationError
from oarflow.node.application import default_command
from oarflow.node.delivery.settings import DeliverySettings
from oarflow.node.housekeeping.settings import HousekeepingSettings
from oarflow.node.masking import masked
from oarflow.node.section import (
    AeTitle,
    Megabytes,
    Network,
    Peer,
    Port,
    Seconds,
    Section,
    ServerTls,
    WebSignIn,
)
from oarflow.node.web.settings import WebSettings
from oarflow.yaml_files import YamlError, read_yaml

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


class SeriesSettings(Section):
    """When a series is complete, and what becomes of it then.

    modalities: those that are contoured; others are kept with the study and not worked on.
    expect_images: take ImagesInAcquisition as the sender's count of slices.
    resend_result: where the same series comes again, send its result again.
    """

    modalities: tuple[Literal["CT", "MR"], ...] = ("CT",)
    quiet_seconds: Seconds = 30
    gap_seconds: Seconds = 600
    expect_images: bool = False
    resend_result: bool = False

    @model_validator(mode="after")
    def _longer(self) -> Self:
        if self.gap_seconds < self.quiet_seconds:
            raise ValueError("gap_seconds must not be shorter than quiet_seconds")
        return self


class StorageSettings(Section):
    """Where the files lie. min_free_mb: with less free space than this nothing is accepted."""

    folder: Path = Path("oarflow-node")
    min_free_mb: Megabytes = 2048

    @property
    def root(self) -> Path:
        """The folder; a service manager's STATE_DIRECTORY stands in for a relative one."""
        return Path(os.environ.get("STATE_DIRECTORY", "")).absolute() / self.folder


class DatabaseSettings(Section):
    """url: SQLAlchemy's; None for SQLite in the storage folder."""

    url: str | None = Field(default=None, repr=False)
    busy_seconds: Seconds = 10


Device = Annotated[str, BeforeValidator(str), Field(pattern=r"^[A-Za-z0-9/:-]+$")]
"""A GPU: its number, or a name such as GPU-5ebe9f43."""


class SchedulerTls(Section):
    """Certificates of a Dask cluster, as PEM files."""

    ca: Path
    certificate: Path
    key: Path


class ExecutionSettings(Section):
    """How the application runs.

    command: with {python}, {input}, {output}, {models} and {config}; by default
    oarflow/node/application.py's. config: the application's
    settings, None for its own default. environment: set for the application besides the node's
    PATH, HOME, LANG and what names threads and devices. scheduler: address of a Dask scheduler
    whose workers see the storage folder under the same path; None for worker processes of the
    node's own. gpus: those of this machine, as CUDA_VISIBLE_DEVICES names them, one for each of the
    node's own workers: one study a GPU. resources: what one job takes of a scheduler's worker,
    such as {GPU: 1}.
    """

    command: tuple[str, ...] = Field(default_factory=default_command, min_length=1)
    models: Path = Path("models")
    config: Path | None = None
    environment: dict[str, str] = Field(default={})
    workers: int = Field(default=1, ge=1, le=64)
    gpus: tuple[Device, ...] = ()
    scheduler: str | None = None
    scheduler_tls: SchedulerTls | None = None
    resources: dict[str, float] = Field(default={})
    time_limit_seconds: Seconds = 3600
    memory_limit_mb: Megabytes | None = 8192
    attempts: int = Field(default=3, ge=1)
    heartbeat_seconds: Seconds = 5
    lease_seconds: Seconds = 60

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("lease_seconds must be at least three times heartbeat_seconds")
        encrypted = self.scheduler is not None and self.scheduler.startswith("tls://")
        if encrypted != (self.scheduler_tls is not None):
            raise ValueError("scheduler_tls goes with a scheduler of the form tls://host:port")
        self._check_devices()
        return self

    def _check_devices(self) -> None:
        """One study a GPU. Raises ValueError."""
        if self.scheduler is not None and self.gpus:
            raise ValueError("gpus are for the node's own workers; a scheduler's have --resources")
        if self.scheduler is None and self.resources:
            raise ValueError("resources are for a scheduler's workers; the node's own have gpus")
        if len(set(self.gpus)) < len(self.gpus):
            raise ValueError("gpus names a GPU twice")
        if self.gpus and self.workers > len(self.gpus):
            count = len(self.gpus)
            raise ValueError(f"workers: {self.workers}, but gpus: {count}; one study a GPU")


class DicomWeb(WebSignIn):
    """A DICOMweb service."""

    url: str = Field(pattern=r"^https?://", repr=False)


class PullSource(Section):
    """A PACS that `pull` asks: DIMSE by peer, or DICOMweb. method: how images come by DIMSE."""

    peer: Peer | None = None
    dicomweb: DicomWeb | None = None
    method: Literal["move", "get"] = "get"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.peer is None) == (self.dicomweb is None):
            raise ValueError("give either peer or dicomweb")
        return self


class Settings(Section):
    """The settings in force."""

    listener: ListenerSettings = ListenerSettings()
    series: SeriesSettings = SeriesSettings()
    storage: StorageSettings = StorageSettings()
    database: DatabaseSettings = DatabaseSettings()
    execution: ExecutionSettings = ExecutionSettings()
    pull: dict[str, PullSource] = Field(default={})
    delivery: DeliverySettings = DeliverySettings()
    web: WebSettings = WebSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()

    @property
    def database_url(self) -> str:
        """The URL in force."""
        return self.database.url or f"sqlite:///{self.storage.root / 'node.db'}"

    def as_yaml(self) -> str:
        """As a settings file has them, passwords left out."""
        return yaml.safe_dump(masked(self.model_dump(mode="json")), sort_keys=False)


def load_settings(path: Path | None) -> Settings:
    """Read the file; without one, the defaults.

    Raises ConfigurationError (SETTINGS) naming the file, the key and what is wrong.
    """
    if path is None:
        return Settings()
    try:
        document = read_yaml(path)
    except (OSError, YamlError) as error:
        raise ConfigurationError("SETTINGS", f"{path} cannot be read: {error}") from error
    if document is None:
        return Settings()
    if not isinstance(document, Mapping):
        raise ConfigurationError("SETTINGS", f"{path} must hold keys and values")
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError("SETTINGS", f"{path}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Every problem with its key; for an unknown key the nearest one that there is."""
    said = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = _keys(problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            said.append(f"unknown key {where!r}; {hint}")
        else:
            said.append(f"{where}: {problem['msg']}")
    return "; ".join(dict.fromkeys(said))


def _keys(section: tuple[int | str, ...]) -> list[str]:
    """Keys of a section; none where the way leads through a list or a table of names."""
    model: type[BaseModel] = Settings
    for part in section:
        inner: Any = model.model_fields.get(str(part))
        annotation = inner.annotation if inner else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
