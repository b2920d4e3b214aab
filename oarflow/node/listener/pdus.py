"""The parts of upper layer PDUs (PS3.8, 9.3) that the gateway checks before pynetdicom."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass

from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ

ASSOCIATE_RQ, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 1, 3, 4, 6, 7
ANY_KIND = range(1, 8)

REQUEST_BYTES = 1 << 17
"""The longest A-ASSOCIATE-RQ in bytes, enough for 128 presentation contexts."""

_SLOWEST = 1024.0
"""The slowest pace (bytes/s) of a message that takes longer than the idle time."""

_COMMAND, _LAST = 1, 2
"""Bits of a fragment's control header (PS3.8, annex E.2)."""

Rejection = tuple[int, int, int]
"""Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8, table 9-21)."""


class PduError(Exception):
    """A PDU breaks the protocol or exceeds a limit. The message is the reason in words."""


async def read_pdu(
    reader: asyncio.StreamReader, kinds: Container[int], longest: int, seconds: float
) -> bytes:
    """Read a PDU. Raises PduError, TimeoutError, and IncompleteReadError at the end.

    kinds: allowed PDU types. longest: limit of the body in bytes. seconds: limit from the first
    byte to the last.
    """
    first = await reader.readexactly(1)
    if first[0] not in kinds:
        raise PduError("unexpected PDU type")
    async with asyncio.timeout(seconds):
        rest = await reader.readexactly(5)
        (length,) = struct.unpack(">xL", rest)
        if length > longest:
            raise PduError("it sent more than is allowed")
        return first + rest + await reader.readexactly(length)


@dataclass(frozen=True)
class AssociationRequest:
    """The AE titles and the protocol version of an A-ASSOCIATE-RQ."""

    calling: str
    called: str
    version: int

    @classmethod
    def read(cls, pdu: bytes) -> AssociationRequest:
        """Parse an A-ASSOCIATE-RQ. Raises PduError if pynetdicom cannot parse it."""
        request = A_ASSOCIATE_RQ()
        try:
            request.decode(pdu)
            primitive = request.to_primitive()
        except Exception as error:  # the parser raises any exception on hostile bytes
            raise PduError("invalid association request") from error
        calling, called = primitive.calling_ae_title, primitive.called_ae_title
        return cls(str(calling).strip(), str(called).strip(), request.protocol_version)


def rejection(answer: Rejection) -> bytes:
    """An A-ASSOCIATE-RJ."""
    pdu = A_ASSOCIATE_RJ()
    pdu.result, pdu.source, pdu.reason_diagnostic = answer
    return bytes(pdu.encode())


def abort() -> bytes:
    """An A-ABORT by the provider: an unexpected PDU (PS3.8, table 9-26)."""
    pdu = A_ABORT_RQ()
    pdu.source, pdu.reason_diagnostic = 2, 2
    return bytes(pdu.encode())


class MessageLimits:
    """Checks size, pace and order of the messages in a peer's P-DATA PDUs.

    most: bytes of a command or data set. seconds: time for one, more at a sufficient pace.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._context: int | None = None
        self._within: int | None = None
        self._since, self._bytes = 0.0, 0

    def follow(self, pdu: bytes) -> bool:
        """Whether a message begins with this PDU. Raises PduError."""
        if self._within is None:
            self._since, self._bytes = time.monotonic(), 0
        self._bytes += len(pdu)
        if self._bytes > self._most:
            raise PduError("it sent more than is allowed")
        if time.monotonic() - self._since > self._seconds + self._bytes / _SLOWEST:
            raise PduError("a message came too slowly")
        begins = [self._begins(*fragment) for fragment in fragments(pdu)]
        if not begins or any(begins[1:]):
            raise PduError("a PDU without a fragment, or with fragments of several messages")
        return begins[0]

    def _begins(self, context: int, control: int) -> bool:
        """Whether a message begins with this fragment. Raises PduError if it does not fit."""
        kind, last = control & _COMMAND, bool(control & _LAST)
        begins = kind == _COMMAND and self._within is None
        if begins:
            self._context = context
        fits = self._within == kind or (self._within is None and self._context is not None)
        if context != self._context or not fits:
            raise PduError("the fragments of its messages do not fit together")
        self._within = None if last else kind
        if last and kind != _COMMAND:
            self._context = None
        return begins


def fragments(pdu: bytes) -> Iterator[tuple[int, int]]:
    """Presentation context and control header of each fragment. Raises PduError."""
    position = 6
    while position < len(pdu):
        if len(pdu) - position < 6:
            raise PduError("a fragment is cut short")
        length, context, control = struct.unpack_from(">LBB", pdu, position)
        position += 4 + length
        if length < 2 or position > len(pdu):
            raise PduError("a fragment is cut short")
        yield context, control


def ends_command(pdu: bytes) -> bool:
    """Whether a P-DATA-TF of pynetdicom ends a command, so that an answer is complete."""
    return any(control & (_COMMAND | _LAST) == _COMMAND | _LAST for _, control in fragments(pdu))
