"""OUT: nothing has its final name there until all of it is complete; result.json comes last."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.result import FILE_NAME

_PREFIX = ".oarflow-"
_LOCK = "lock"


@dataclass(frozen=True)
class Parcel:
    """Files of one study. folder: where they go, below OUT. files: staged path by final name."""

    folder: Path
    files: tuple[tuple[str, Path], ...]
    result: bytes


class Delivery:
    """A run's hold on OUT, from its start to the last rename.

    The staging folder is hidden and lies inside OUT, which may be a mount of its own. A lock in it
    tells a run that goes on from one that was killed, whose leavings are removed.
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
        """Take OUT, which is made if it does not exist. sources: the input's folders and archives.

        Raises ConfigurationError: OUTPUT_OVERLAPS_INPUT, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE.
        """
        for source in sources:
            if out == source or out in source.parents or source in out.parents:
                raise ConfigurationError(
                    "OUTPUT_OVERLAPS_INPUT",
                    f"output {out} and input {source} lie within one another",
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

        If that fails, what was named of the study is taken back. last: no other study follows, so
        that a signal finds nothing to abandon. Raises ConfigurationError OUTPUT_NOT_WRITABLE.
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
        """Leave OUT as it was, but for studies that were delivered.

        False if everything had been delivered before.
        """
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
        # Under another name first: a thread that is still writing finds its folder no more.
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


def _require_empty(out: Path) -> None:
    for path in out.rglob("*"):
        if path.name == FILE_NAME or path.suffix.lower() == ".dcm":
            raise ConfigurationError(
                "OUTPUT_IN_USE",
                f"output {out} holds {FILE_NAME} or .dcm files already: give an empty folder",
            )


def _first_missing(out: Path) -> Path | None:
    """The topmost folder that making `out` would make."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    return missing[-1] if missing else None


def _remove_empty(out: Path, top: Path) -> None:
    """Remove folders that this run made, as far as they are empty."""
    for path in (out, *out.parents):
        try:
            path.rmdir()
        except OSError:
            return
        if path == top:
            return


def _locked(folder: Path) -> int | None:
    """Lock a staging folder. Raises BlockingIOError where another process holds it.

    None on a file system without locks: there only a run's own clean end removes its folder.
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
    """Have a file or folder on the disk before what follows."""
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
