"""Files that are safe: a temporary name, fsync of file and folder, then the name."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = ".part-"
"""How names of files begin that are not safe yet."""


def write_safely(target: Path, *pieces: bytes) -> None:
    """Write a file whole or not at all; a file of this name is replaced. Raises OSError."""
    temporary = target.parent / f"{TEMPORARY}{os.urandom(16).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            _write_all(descriptor, pieces)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)


def _write_all(descriptor: int, pieces: Iterable[bytes]) -> None:
    left = [memoryview(piece) for piece in pieces]
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]


def make_folder(folder: Path) -> None:
    """Make a folder that survives a loss of power; it may exist. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o750)
    sync_folder(folder.parent)


def keep_from_others(path: Path, mode: int) -> None:
    """Take rights beyond these away from a file or folder of ours. Raises no OSError.

    By its name, never by opening it: closing a descriptor would end SQLite's locks on the file.
    """
    with contextlib.suppress(OSError):
        has = stat.S_IMODE(path.stat().st_mode)
        if has & ~mode:
            path.chmod(has & mode)


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
