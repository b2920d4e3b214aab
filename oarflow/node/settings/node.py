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
    """When a series is complete, and which series are contoured."""

    modalities: tuple[Literal["CT", "MR"], ...] = ("CT",)
    """Modalities that are contoured. Others are stored with the study."""
    quiet_seconds: Seconds = 30
    """Silence after which a series is checked for completeness."""
    gap_seconds: Seconds = 600
    """Longest wait for the slices of a gap; at least `quiet_seconds`."""
    expect_images: bool = False
    """Take Images in Acquisition as the number of slices."""
    resend_result: bool = False
    """Deliver the result again if the same series arrives again."""

    @model_validator(mode="after")
    def _longer(self) -> Self:
        if self.gap_seconds < self.quiet_seconds:
            raise ValueError("gap_seconds must not be shorter than quiet_seconds")
        return self


class StorageSettings(Section):
    """Where the node's files are."""

    folder: Path = Path("oarflow-node")
    """Folder of images, results and SQLite's database. A relative path starts at
    STATE_DIRECTORY, or at the current folder."""
    min_free_mb: Megabytes = 2048
    """With less free space the node accepts nothing."""

    @property
    def root(self) -> Path:
        """The folder; a service manager's STATE_DIRECTORY stands in for a relative one."""
        return Path(os.environ.get("STATE_DIRECTORY", "")).absolute() / self.folder


class DatabaseSettings(Section):
    """Where the node's state is."""

    url: str | None = Field(default=None, repr=False)
    """SQLAlchemy's URL of a PostgreSQL database; null: SQLite in the storage folder."""
    busy_seconds: Seconds = 10
    """Longest wait for another writer."""


class NodeSettings(Section):
    """The settings in force."""

    listener: ListenerSettings = ListenerSettings()
    """What the node accepts from the network."""
    series: SeriesSettings = SeriesSettings()
    """When a series is complete, and which series are contoured."""
    storage: StorageSettings = StorageSettings()
    """Where the node's files are."""
    database: DatabaseSettings = DatabaseSettings()
    """Where the node's state is."""
    execution: ExecutionSettings = ExecutionSettings()
    """How the application runs."""
    pull: dict[str, PullSource] = Field(default={})
    """Systems that `oarflow node pull` asks for studies, by name."""
    delivery: DeliverySettings = DeliverySettings()
    """Where results go."""
    web: WebSettings = WebSettings()
    """The web page."""
    housekeeping: HousekeepingSettings = HousekeepingSettings()
    """When files are deleted."""

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
