"""An association's request without what is refused anyway, and the answer that says so.

A sender may propose 128 presentation contexts, of which the node can take a dozen. pynetdicom makes
objects of all of them and of each UID, several times over: more work than to receive a slice, by
far. Contexts whose abstract syntax the node does not know are answered here, as pynetdicom would.
Requests with anything out of the way are left to it as they came.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass

_FIXED = 74
"""Bytes of A-ASSOCIATE-RQ and -AC before their items (PS3.8, 9.3.2 and 9.3.3)."""

_REQUESTED, _ANSWERED, _ABSTRACT, _TRANSFER = 0x20, 0x21, 0x30, 0x40
"""Types of items; in an answer they stand in the order of their types."""

_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
_UID = re.compile(rb"[0-9]+(\.[0-9]+)+")


class _NotPlain(Exception):
    """The request is for a patient parser."""


@dataclass(frozen=True)
class _Context:
    """A proposed presentation context. transfer: the first of its transfer syntaxes."""

    number: int
    abstract: bytes
    transfer: bytes


def thinned(request: bytes, known: Container[bytes]) -> tuple[bytes, list[bytes]]:
    """An A-ASSOCIATE-RQ with fewer contexts, and the items that answer those it lacks now.

    known: abstract syntaxes that stay. The request is as it was where none is known, or it is not
    plain; then there are no such items.
    """
    kept, refused = [request[:_FIXED]], []
    numbers: list[int] = []
    stays = False
    try:
        for item in _items(request, _FIXED):
            if item[0] == _REQUESTED:
                context = _context(item)
                numbers.append(context.number)
                if context.abstract not in known:
                    refused.append(_refusal(context))
                    continue
                stays = True
            kept.append(item)
    except _NotPlain:
        return request, []
    if not stays or len(set(numbers)) < len(numbers):
        return request, []
    return _with_length(b"".join(kept)), refused


def completed(answer: bytes, refusals: list[bytes]) -> bytes:
    """An A-ASSOCIATE-AC with these answers to contexts among its own, in pynetdicom's order."""
    items = sorted([*_items(answer, _FIXED), *refusals], key=_order)
    return _with_length(answer[:_FIXED] + b"".join(items))


def _order(item: bytes) -> tuple[int, bool, int]:
    """Of items, and of contexts: those that are accepted, then the others, by number."""
    return (item[0], item[6] != 0, item[4]) if item[0] == _ANSWERED else (item[0], False, 0)


def _with_length(pdu: bytes) -> bytes:
    return pdu[:2] + struct.pack(">L", len(pdu) - 6) + pdu[6:]


def _items(data: bytes, position: int) -> Iterator[bytes]:
    """Items and sub-items, head included. Raises _NotPlain."""
    while position < len(data):
        if len(data) - position < 4:
            raise _NotPlain
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 4 + length
        if end > len(data):
            raise _NotPlain
        yield data[position:end]
        position = end


def _context(item: bytes) -> _Context:
    """Raises _NotPlain unless it is one abstract syntax and, behind it, transfer syntaxes."""
    syntaxes = list(_items(item, 8))
    kinds = [syntax[0] for syntax in syntaxes]
    if len(kinds) < 2 or kinds != [_ABSTRACT] + [_TRANSFER] * (len(kinds) - 1):
        raise _NotPlain
    uids = [syntax[4:] for syntax in syntaxes]
    if item[4] % 2 == 0 or any(len(uid) > 64 or not _UID.fullmatch(uid) for uid in uids):
        raise _NotPlain
    return _Context(item[4], uids[0], uids[1])


def _refusal(context: _Context) -> bytes:
    """Its answer (PS3.8, 9.3.3.2)."""
    transfer = struct.pack(">BxH", _TRANSFER, len(context.transfer)) + context.transfer
    result = struct.pack(">BxBx", context.number, _ABSTRACT_SYNTAX_NOT_SUPPORTED)
    return struct.pack(">BxH", _ANSWERED, len(result + transfer)) + result + transfer
