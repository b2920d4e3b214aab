"""Paths in the settings file, without the settings that need the intake's libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from oarflow.commissioning.site import SiteRecords
from oarflow.settings_files import checked, read_settings
from oarflow.templates.folder import SHIPPED

PATH_KEYS = ("templates", "commissioned", "commissioned_key")
"""Keys of files and folders."""


class _Paths(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    commissioned: Path | None = None
    commissioned_key: Path | None = None


def read_with_paths(path: Path | None) -> dict[Any, Any]:
    """A settings file's keys, not yet checked; none without a file.

    Relative paths begin at the file's folder and are made absolute. Raises ConfigurationError
    SETTINGS.
    """
    if path is None:
        return {}
    document, folder = read_settings(path), path.absolute().parent
    for key in PATH_KEYS:
        named = document.get(key)
        if isinstance(named, str) and (key, named) != ("templates", SHIPPED):
            document[key] = str(folder / named)
    return document


def site_records(path: Path | None) -> SiteRecords:
    """The commissioning records that a settings file names. Raises ConfigurationError SETTINGS."""
    found = checked(_Paths, read_with_paths(path), str(path))
    return SiteRecords.open(found.commissioned, found.commissioned_key)
