"""The run's one clock reading. It imports nothing that is slow, or that reads its variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime


def run_time(environment: Mapping[str, str] = os.environ) -> datetime:
    """SOURCE_DATE_EPOCH (seconds, UTC) where set, else local time.

    Raises ValueError where SOURCE_DATE_EPOCH is not a whole number of seconds.
    """
    epoch = environment.get("SOURCE_DATE_EPOCH", "").strip()
    if not epoch:
        return datetime.now().astimezone()
    if not epoch.isdecimal():
        raise ValueError(f"SOURCE_DATE_EPOCH {epoch!r} is not a number of seconds")
    return datetime.fromtimestamp(int(epoch), UTC)
