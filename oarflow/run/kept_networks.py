"""Networks that stay loaded from one study to the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from oarflow.networks.store import ModelStore

_FileState = tuple[str, int, int, int]
"""A file's path, size in bytes, time of change in ns, and inode."""


class KeptNetworks:
    """Keeps the models folder that was opened last, with the networks that are loaded.

    A folder is opened again if a file in it changed, or for other settings.
    """

    def __init__(self) -> None:
        self._threads = torch.get_num_threads()
        self._key: tuple[object, ...] | None = None
        self._store: ModelStore | None = None

    def open(
        self,
        folder: Path,
        trusted: frozenset[str] | None,
        device: str,
        threads: int | None,
        prefer: Mapping[str, str],
    ) -> ModelStore:
        """The folder's networks. Arguments and errors as of `ModelStore.open`."""
        key = (folder, trusted, device, threads, dict(prefer), _state(folder))
        if self._store is None or key != self._key:
            if self._store is not None:
                torch.set_num_threads(self._threads)
            self._key = self._store = None
            self._store = ModelStore.open(folder, trusted, device, threads, prefer)
            self._key = key
        return self._store


def _state(folder: Path) -> tuple[_FileState, ...]:
    """The state of every file below a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        seen = path.stat() if path.exists() else path.lstat()
        found.append((str(path), seen.st_size, seen.st_mtime_ns, seen.st_ino))
    return tuple(found)
