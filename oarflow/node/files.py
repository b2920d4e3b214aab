"""Writes files safely: a temporary name, fsync, the final name, fsync of the folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = ".part-"
"""Prefix of the names of files that are not safe yet."""


def write_safely(target: Path, *pieces: bytes) -> None:
    """Write a file completely or not at all, replacing an old one. Raises OSError."""
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
    """Make a folder that survives a loss of power, unless it exists. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o750)
    sync_folder(folder.parent)


def keep_from_others(path: Path, mode: int) -> None:
    """Remove rights beyond `mode` from a file or folder. Raises no OSError.

    It does not open the file: closing a descriptor would end SQLite's locks on it.
    """
    with contextlib.suppress(OSError):
        has = stat.S_IMODE(path.stat().st_mode)
        if has & ~mode:
            path.chmod(has & mode)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Free bytes on the folder's disk for this user."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def snapshot(files: list[Path], folder: Path) -> None:
    """Put files into a new folder under their names, as links or, if impossible, as copies.

    Raises OSError.
    """
    folder.mkdir(parents=True, mode=0o750)
    for file in files:
        try:
            os.link(file, folder / file.name)
        except OSError:
            shutil.copyfile(file, folder / file.name)
