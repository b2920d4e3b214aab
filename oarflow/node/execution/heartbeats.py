"""How long a worker or a process has been silent: its heartbeat has not changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

MAX_ADDED_SECONDS = 5.0
"""What one look adds at most: while this process itself was stopped, it saw no heartbeat."""

K = TypeVar("K", bound=Hashable)


class SilenceMonitor(Generic[K]):
    """Counts silence by this process's monotonic clock, whatever the senders' clocks are."""

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
