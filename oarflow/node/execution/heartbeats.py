"""Signs of life: who has given none, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

MOST_BETWEEN_LOOKS = 5.0
"""Seconds that one look may add: while this process itself was stopped, others had no chance."""

K = TypeVar("K", bound=Hashable)


class Pulse(Generic[K]):
    """Counts silence by this process's monotonic clock, whatever clock the signs are of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._seen: dict[K, tuple[object, float]] = {}

    def look(self, signs: Mapping[K, object]) -> dict[K, float]:
        """Seconds for which each sign has been what it is; look at least every few seconds."""
        moment = self._clock()
        passed = min(moment - self._looked, MOST_BETWEEN_LOOKS)
        self._looked = moment
        seen: dict[K, tuple[object, float]] = {}
        for key, sign in signs.items():
            before = self._seen.get(key)
            same = before is not None and before[0] == sign
            seen[key] = (sign, before[1] + passed if same and before else 0.0)
        self._seen = seen
        return {key: silence for key, (_, silence) in seen.items()}
