"""Paths in the settings file, without the settings that need the intake's libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from oarflow.commissioning.site import SiteRecords
from oarflow.settings_files import checked, read_settings

PATH_KEYS = ("commissioned", "commissioned_key")
"""Keys of files and folders."""


class _Paths(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    commissioned: Path | None = None
    commissioned_key: Path | None = None


def read_with_paths(path: Path) -> dict[Any, Any]:
    """A settings file's values, with relative paths below the file's folder.

    Raises ConfigurationError SETTINGS.
    """
    document, folder = read_settings(path), path.absolute().parent
    paths = {key: document[key] for key in PATH_KEYS if isinstance(document.get(key), str)}
    return document | {key: str(folder / value) for key, value in paths.items()}


def site_records(path: Path | None) -> SiteRecords:
    """The commissioning records that a settings file names. Raises ConfigurationError SETTINGS."""
    found = _Paths() if path is None else checked(_Paths, read_with_paths(path), str(path))
    return SiteRecords.open(found.commissioned, found.commissioned_key)
