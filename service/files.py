"""Files that are safe: a temporary name, fsync of file and folder, then the name."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path

TEMPORARY = ".part-"
"""How names of files begin that are not safe yet."""


def write_safely(target: Path, *pieces: bytes) -> None:
    """Write a file whole or not at all; a file of this name is replaced. Raises OSError."""
    temporary = target.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    try:
        with temporary.open("xb", buffering=0) as file:
            for piece in pieces:
                _write_all(file.fileno(), piece)
            os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def make_folder(folder: Path) -> None:
    """Make a folder that survives a loss of power; it may exist. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o750)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder safe. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Room left for us on the folder's disk."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def snapshot(files: list[Path], folder: Path) -> None:
    """The files under their names in a new folder: linked where the file system can, else copied.

    Raises OSError.
    """
    folder.mkdir(parents=True, mode=0o750)
    for file in files:
        try:
            os.link(file, folder / file.name)
        except OSError:
            shutil.copyfile(file, folder / file.name)
