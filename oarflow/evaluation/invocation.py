"""How a command was called: its data sets, its line as a reader would type it, the day."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from oarflow.locations import ROOT


def data_folder(*parts: str) -> Path:
    """A place in the folder of data sets. Raises ValueError where OARFLOW_DATA is not set."""
    place = os.environ.get("OARFLOW_DATA")
    if not place:
        raise ValueError("set OARFLOW_DATA to the folder of data sets, or name the input by a flag")
    return Path(place).joinpath(*parts)


def as_typed(command: str) -> str:
    """The command as a reader would type it: folders of this machine by their variable."""
    place = os.environ.get("OARFLOW_DATA")
    return (command.replace(place, "$OARFLOW_DATA") if place else command).replace(f"{ROOT}/", "")


def today() -> str:
    """The date as pages state it, ISO 8601."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
