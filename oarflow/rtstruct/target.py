"""The target file of a checked structure set. An existing file is never replaced by accident."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from pathlib import Path

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def check_target(target: Path, ct: Collection[Path], *, overwrite: bool) -> None:
    """Raise FileExistsError if the file may not be written there, before any work is done.

    ct: files that are never overwritten.
    """
    if target in {path.resolve() for path in ct}:
        raise FileExistsError(f"{target} is a file of the CT: use another name")
    if target.is_dir() or (target.exists() and not overwrite):
        raise _exists(target)


def give_name(part: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name, in one step. Raises FileExistsError."""
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    if overwrite:
        part.replace(target)
        return
    try:
        target.hardlink_to(part)  # fails if another program has just created the target
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        part.rename(target)


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(f"{target} exists: use another name, or overwrite=True")
