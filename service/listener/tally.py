"""How many associations each receiving process has, in memory that all of them share."""

from __future__ import annotations

from multiprocessing.sharedctypes import RawArray


class Tally:
    """Each process writes numbers of its own place only, so that no lock is needed.

    count: of places.
    """

    def __init__(self, count: int) -> None:
        self._ready = RawArray("i", count)
        self._taken = RawArray("i", count)
        self._live = RawArray("i", count)

    def clear(self, place: int) -> None:
        """The process of this place has ended, and its associations with it."""
        self._ready[place] = self._taken[place] = self._live[place] = 0

    def begin(self, place: int) -> None:
        """The process of this place takes connections from now on."""
        self._ready[place] = 1

    def ready(self, place: int) -> bool:
        """Whether it does."""
        return bool(self._ready[place])

    def take(self, place: int) -> None:
        """One more connection came to the process."""
        self._taken[place] += 1

    def taken(self, place: int) -> int:
        """How many came to it since it began."""
        return int(self._taken[place])

    def set_live(self, place: int, count: int) -> None:
        """So many associations are there now."""
        self._live[place] = count

    def live(self, place: int) -> int:
        """How many associations it has."""
        return int(self._live[place])

    def elsewhere(self, place: int) -> int:
        """How many all the others have."""
        return int(sum(self._live)) - self.live(place)
