"""Delivery into a folder, where a file appears complete or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from oarflow.node.delivery.outgoing import OutgoingFile, SendResult, SendVerdict
from oarflow.node.files import sync_folder
from oarflow.node.settings.delivery import FolderDestination


class FolderTransport:
    """Writes under a hidden name, then renames."""

    asked, not_asked = False, ""

    def __init__(self, destination: FolderDestination) -> None:
        self._folder = destination.path

    def send(self, items: tuple[OutgoingFile, ...]) -> Iterator[SendResult]:
        """Write all files. A file of the same name and content counts as stored."""
        for item in items:
            yield self._send(item)

    def _send(self, item: OutgoingFile) -> SendResult:
        target = self._folder / item.name
        try:
            if target.exists():
                return _present(target, item)
            place(item.path, target)
        except OSError as error:
            reason = f"the folder is not writable: {os.strerror(error.errno or 0)}"
            return SendResult(item.key, SendVerdict.UNREACHABLE, reason)
        return SendResult(item.key, SendVerdict.STORED, "written")


def _present(target: Path, item: OutgoingFile) -> SendResult:
    with target.open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == item.sha256
    if same:
        return SendResult(item.key, SendVerdict.STORED, "was there already")
    reason = "the folder has a file of this name with other content; it is not overwritten"
    return SendResult(item.key, SendVerdict.REFUSED, reason)


def place(source: Path, target: Path) -> None:
    """Copy a file to a new name, safely on disk. Raises OSError.

    The hidden file of an interrupted attempt is overwritten.
    """
    hidden = target.with_name(f".{target.name}.part")
    with source.open("rb") as reading, hidden.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    hidden.rename(target)
    sync_folder(target.parent)
