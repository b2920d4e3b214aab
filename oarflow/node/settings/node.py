"""The node's settings: a YAML file in which every key has a default."""

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
    """The section `series`: when a series is complete, and which series are contoured."""

    modalities: tuple[Literal["CT", "MR"], ...] = ("CT",)
    """Modalities that are contoured. The node keeps other series and does not contour them."""
    quiet_seconds: Seconds = 30
    """The node judges a series when no instance of it has arrived for this long."""
    gap_seconds: Seconds = 600
    """The node refuses a series with a gap when no instance of it has arrived for this long."""
    expect_images: bool = False
    """Whether Images in Acquisition (0020,1002) is the number of instances of the series."""
    resend_result: bool = False
    """Whether to deliver the result again if the same series arrives again."""

    @model_validator(mode="after")
    def _longer(self) -> Self:
        if self.gap_seconds < self.quiet_seconds:
            raise ValueError("gap_seconds must not be shorter than quiet_seconds")
        return self


class StorageSettings(Section):
    """The section `storage`: the node's files."""

    folder: Path = Path("oarflow-node")
    """The folder for images, results and SQLite's database. Only the node's user and group may read
    it. A relative folder is in the folder that the variable STATE_DIRECTORY names (systemd
    sets it), otherwise in the current folder."""
    min_free_mb: Megabytes = 2048
    """The free space that must remain on the disk. Below it, the node accepts no instance."""

    @property
    def root(self) -> Path:
        """The folder. A relative one starts at systemd's STATE_DIRECTORY or the current folder."""
        return Path(os.environ.get("STATE_DIRECTORY", "")).absolute() / self.folder


class DatabaseSettings(Section):
    """The section `database`."""

    url: str | None = Field(default=None, repr=False)
    """The URL of the database in SQLAlchemy's form: SQLite or PostgreSQL. Default: SQLite in the
    storage folder."""
    busy_seconds: Seconds = 10
    """How long a transaction waits for a lock."""


class NodeSettings(Section):
    """The settings of the node, by section."""

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
        """The URL of the database: by default, SQLite in the storage folder."""
        return self.database.url or f"sqlite:///{self.storage.root / 'node.db'}"

    def as_yaml(self) -> str:
        """The settings as YAML, with secrets masked."""
        return yaml.safe_dump(masked(self.model_dump(mode="json")), sort_keys=False)


def load_settings(path: Path | None) -> NodeSettings:
    """Settings of a file, or the defaults without one.

    Raises ConfigurationError (SETTINGS) with the file, the key and the error.
    """
    if path is None:
        return NodeSettings()
    return checked(NodeSettings, read_settings(path), str(path))
