"""Delivery into OUT: files get their final names when all are complete, result.json last."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.result import FILE_NAME
from oarflow.run.environment import chain

_PREFIX = ".oarflow-"
_LOCK = "lock"

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclass(frozen=True)
class Parcel:
    """Files of one study. folder: their folder below OUT. files: staged path by final name."""

    folder: Path
    files: tuple[tuple[str, Path], ...]
    result: bytes


class Delivery:
    """A run's exclusive use of OUT, from its start to the last rename.

    The staging folder is hidden and inside OUT, because OUT may be a mount. A lock in the staging
    folder shows whether its run is still active. The files of a killed run are removed.
    """

    def __init__(self, out: Path, staging: Path, lock: int | None, created: Path | None) -> None:
        self.out = out
        self.staging = staging
        self._lock = lock
        self._created = created
        self._guard = threading.Lock()
        self._over = False

    @classmethod
    def open(cls, out: Path, *sources: Path) -> Delivery:
        """Reserve OUT and create it if needed. sources: the input's folders and archives.

        Raises ConfigurationError: OUTPUT_OVERLAPS_INPUT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE.
        """
        for source in sources:
            if out == source or out in source.parents or source in out.parents:
                raise ConfigurationError(
                    "OUTPUT_OVERLAPS_INPUT",
                    f"output {out} and input {source} overlap: use two separate folders",
                )
        created = _first_missing(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
            _require_empty(out)
            staging = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=out))
            lock = _locked(staging)
            delivery = cls(out, staging, lock, created)
            try:
                delivery._remove_stale()
            except ConfigurationError:
                delivery.abandon()
                raise
        except OSError as error:
            raise _not_writable(out, error) from error
        return delivery

    def room(self, name: str) -> Path:
        """A folder below the staging folder for one study's files."""
        path = self.staging / name
        path.mkdir(exist_ok=True)
        return path

    def commit(self, parcel: Parcel, *, last: bool = True) -> None:
        """Give a study's files their final names: result.json comes after the others.

        If that fails, the study's files that already have their names are removed. last: no other
        study follows, so that a later signal abandons nothing. Raises ConfigurationError
        OUTPUT_NOT_WRITABLE.
        """
        named: list[Path] = []
        with self._guard:
            try:
                self._deliver(parcel, named)
                _flush(parcel.folder)
                _flush(self.out)
            except OSError as error:
                for path in named:
                    path.unlink(missing_ok=True)
                self._clear()
                raise _not_writable(self.out, error) from error
            self._created = None
            if last:
                self._clear()

    def abandon(self) -> bool:
        """Restore OUT, except for delivered studies. False if everything was already delivered."""
        with self._guard:
            if self._over:
                return False
            self._clear()
            return True

    def _deliver(self, parcel: Parcel, named: list[Path]) -> None:
        parcel.folder.mkdir(exist_ok=True)
        for name, staged in parcel.files:
            _flush(staged)
            named.append(parcel.folder / name)
            staged.rename(parcel.folder / name)
        result = self.staging / f"result-{parcel.folder.name}"
        result.write_bytes(parcel.result)
        _flush(result)
        named.append(parcel.folder / FILE_NAME)
        result.rename(parcel.folder / FILE_NAME)

    def _clear(self) -> None:
        self._over = True
        # Rename first, so that a thread that is still writing no longer finds its folder.
        gone = self.staging.with_name(f"{self.staging.name}-gone")
        try:
            self.staging.rename(gone)
        except OSError:
            gone = self.staging
        shutil.rmtree(gone, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        if self._created is not None:
            _remove_empty(self.out, self._created)

    def _remove_stale(self) -> None:
        for other in self.out.glob(f"{_PREFIX}*"):
            if other == self.staging:
                continue
            try:
                descriptor = _locked(other)
            except BlockingIOError as error:
                raise ConfigurationError(
                    "OUTPUT_IN_USE", f"another run is writing into {self.out}"
                ) from error
            if descriptor is not None:
                os.close(descriptor)
                shutil.rmtree(other)


def require_room(error: Exception) -> None:
    """Raise ConfigurationError OUTPUT_NOT_WRITABLE for a full or read-only disk.

    The site must correct that; it is no fault of the program.
    """
    for link in chain(error):  # libraries raise a new error without the first one's number
        if isinstance(link, OSError) and link.errno in _NO_ROOM:
            raise ConfigurationError(
                "OUTPUT_NOT_WRITABLE",
                f"the output folder cannot be written: {link.strerror}",
            ) from error


def _require_empty(out: Path) -> None:
    for path in out.rglob("*"):
        if path.name == FILE_NAME or path.suffix.lower() == ".dcm":
            raise ConfigurationError(
                "OUTPUT_IN_USE",
                f"output {out} already holds {FILE_NAME} or .dcm files: name an empty folder",
            )


def _first_missing(out: Path) -> Path | None:
    """The topmost folder that must be created for `out`."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    return missing[-1] if missing else None


def _remove_empty(out: Path, top: Path) -> None:
    """Remove the folders that this run created, if they are empty."""
    for path in (out, *out.parents):
        try:
            path.rmdir()
        except OSError:
            return
        if path == top:
            return


def _locked(folder: Path) -> int | None:
    """Lock a staging folder. Raises BlockingIOError where another process holds it.

    None on a file system without locks, where only the run itself removes its folder.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _flush(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(descriptor)


def _not_writable(out: Path, error: OSError) -> ConfigurationError:
    why = os.strerror(error.errno) if error.errno else "unknown reason"
    return ConfigurationError("OUTPUT_NOT_WRITABLE", f"output {out} cannot be written: {why}")
