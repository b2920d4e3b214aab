"""A lock that keeps a second node out of a storage folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from oarflow.errors import ConfigurationError

LOCK = "node.lock"


def lock(root: Path) -> int:
    """Lock a storage folder. Returns the descriptor that holds the lock.

    Raises ConfigurationError (IN_USE).
    """
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError("IN_USE", f"another node uses {root}") from error
    return descriptor
