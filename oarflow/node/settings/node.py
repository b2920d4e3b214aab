"""The node's settings (YAML): every key with its default, checked; errors name the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from oarflow.node.settings.delivery import DeliverySettings
from oarflow.node.settings.execution import ExecutionSettings
from oarflow.node.settings.fields import Megabytes, Seconds, Section
from oarflow.node.settings.housekeeping import HousekeepingSettings
from oarflow.node.settings.listener import ListenerSettings
from oarflow.node.settings.masking import masked
from oarflow.node.settings.pulling import PullSource
from oarflow.node.settings.web import WebSettings
from oarflow.settings_files import checked, read_settings


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


class NodeSettings(Section):
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


def load_settings(path: Path | None) -> NodeSettings:
    """Read the file; without one, the defaults.

    Raises ConfigurationError (SETTINGS) naming the file, the key and what is wrong.
    """
    if path is None:
        return NodeSettings()
    return checked(NodeSettings, read_settings(path), str(path))
