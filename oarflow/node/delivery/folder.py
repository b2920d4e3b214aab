"""Delivery into a folder: a file appears there whole, under its name, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from oarflow.node.delivery.outgoing import Outcome, Parcel, Verdict
from oarflow.node.files import sync_folder
from oarflow.node.settings.delivery import FolderDestination


class FolderTransport:
    """Writes under a hidden name, then renames."""

    asked = False

    def __init__(self, destination: FolderDestination) -> None:
        self._folder = destination.path

    def send(self, parcels: tuple[Parcel, ...]) -> Iterator[Outcome]:
        """A file of the same name and content is there already: it counts as stored."""
        for parcel in parcels:
            yield self._send(parcel)

    def _send(self, parcel: Parcel) -> Outcome:
        target = self._folder / parcel.name
        try:
            if target.exists():
                return _present(target, parcel)
            place(parcel.path, target)
        except OSError as error:
            reason = f"the folder cannot be written: {os.strerror(error.errno or 0)}"
            return Outcome(parcel.key, Verdict.UNREACHABLE, reason)
        return Outcome(parcel.key, Verdict.STORED, "written")


def _present(target: Path, parcel: Parcel) -> Outcome:
    with target.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == parcel.sha256
    if same:
        return Outcome(parcel.key, Verdict.STORED, "was there already")
    reason = "a file of this name and other content lies in the folder; it is left as it is"
    return Outcome(parcel.key, Verdict.REFUSED, reason)


def place(source: Path, target: Path) -> None:
    """Copy a file to a name that is free, durably. Raises OSError.

    A hidden rest of an attempt that was cut off is overwritten.
    """
    hidden = target.with_name(f".{target.name}.part")
    with source.open("rb") as reading, hidden.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    hidden.rename(target)
    sync_folder(target.parent)
