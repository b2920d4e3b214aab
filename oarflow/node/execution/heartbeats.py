"""Measures how long a worker or process has given no heartbeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

MAX_ADDED_SECONDS = 5.0
"""The most silence (s) that one look adds, in case this process itself was stopped."""

K = TypeVar("K", bound=Hashable)


class SilenceMonitor(Generic[K]):
    """Measures silence with this process's monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._seen: dict[K, tuple[object, float]] = {}

    def look(self, heartbeats: Mapping[K, object]) -> dict[K, float]:
        """Seconds since each heartbeat changed. Call it at least every few seconds."""
        moment = self._clock()
        passed = min(moment - self._looked, MAX_ADDED_SECONDS)
        self._looked = moment
        seen: dict[K, tuple[object, float]] = {}
        for key, heartbeat in heartbeats.items():
            before = self._seen.get(key)
            same = before is not None and before[0] == heartbeat
            seen[key] = (heartbeat, before[1] + passed if same and before else 0.0)
        self._seen = seen
        return {key: silence for key, (_, silence) in seen.items()}
