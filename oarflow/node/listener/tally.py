"""What each receiving process has and does, in memory that all of them share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from multiprocessing.sharedctypes import RawArray


class Tally:
    """Each process writes numbers of its own place only, so that no lock is needed.

    count: of places. most: associations of one place whose addresses are kept.
    """

    def __init__(self, count: int, most: int) -> None:
        self._most = most
        self._addresses = [RawArray("Q", most) for _ in range(count)]
        self._beats = RawArray("L", count)
        self._ready = RawArray("i", count)
        self._taken = RawArray("i", count)
        self._live = RawArray("i", count)

    def clear(self, place: int) -> None:
        """The process of this place has ended, and its associations with it."""
        self._ready[place] = self._taken[place] = self._live[place] = 0
        self.set_addresses(place, ())

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

    def set_addresses(self, place: int, addresses: Iterable[str]) -> None:
        """Where the associations of a place come from, one by one."""
        kept = self._addresses[place]
        known = [_digest(address) for address in islice(addresses, self._most)]
        kept[:] = known + [0] * (self._most - len(known))

    def elsewhere_from(self, place: int, address: str) -> int:
        """How many associations of an address all the others have."""
        wanted = _digest(address)
        others = (kept for other, kept in enumerate(self._addresses) if other != place)
        return sum(list(kept).count(wanted) for kept in others)

    def beat(self, place: int) -> None:
        """The process of this place lives."""
        self._beats[place] += 1

    def beats(self, place: int) -> int:
        """How many signs of life it has given."""
        return int(self._beats[place])


def _digest(address: str) -> int:
    """A number for an address, not 0."""
    return int.from_bytes(hashlib.sha256(address.encode()).digest()[:8], "little") or 1
