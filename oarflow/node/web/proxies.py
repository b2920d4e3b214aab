"""Where a request comes from, when a proxy that the settings name has passed it on."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def origin(peer: str, forwarded: Iterable[str], proxies: tuple[str, ...]) -> str:
    """The caller's address. peer: who is connected; forwarded: the lines of X-Forwarded-For.

    Each proxy adds whom it heard to the end of the list. It is read from there, and only as long
    as a proxy of ours has written it: what stands before may be the caller's invention.
    """
    caller = _parse(peer)
    if caller is None:
        return peer
    named = [part for line in forwarded for part in line.split(",")]
    while _ours(caller, proxies) and named:
        before = _parse(named.pop())
        if before is None:
            break
        caller = before
    return str(caller)


def _ours(address: Address, proxies: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(proxies))


@functools.lru_cache
def _networks(
    proxies: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, proxies))


def _parse(text: str) -> Address | None:
    """An address, with or without a port; an IPv4 address that comes as IPv6 is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
