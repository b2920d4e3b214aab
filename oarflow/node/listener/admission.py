"""Which systems may call, by AE title and address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from oarflow.node.settings import Caller

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class _Entry:
    ae_title: str | None
    networks: tuple[Network, ...]

    def covers(self, address: Address) -> bool:
        return any(address.version == one.version and address in one for one in self.networks)


class Admission:
    """The list of systems that may call."""

    def __init__(self, callers: Iterable[Caller]) -> None:
        self._entries = tuple(
            _Entry(
                None if caller.ae_title is None else caller.ae_title.strip(),
                tuple(ipaddress.ip_network(network) for network in caller.addresses),
            )
            for caller in callers
        )

    def address_known(self, address: str) -> bool:
        """Whether any system may call from this address; checked before a byte is read."""
        place = _parse(address)
        return place is not None and any(entry.covers(place) for entry in self._entries)

    def admits(self, ae_title: str, address: str) -> bool:
        """Whether this AE title may call from this address."""
        place = _parse(address)
        return place is not None and any(
            entry.ae_title in (None, ae_title.strip()) and entry.covers(place)
            for entry in self._entries
        )


def _parse(address: str) -> Address | None:
    """The address; an IPv4 address that is mapped into IPv6 becomes IPv4."""
    try:
        place = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return None
    mapped = place.ipv4_mapped if isinstance(place, ipaddress.IPv6Address) else None
    return mapped or place
