"""The upper layer's PDUs (PS3.8, 9.3), as far as they are looked at before pynetdicom has them."""

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
"""The longest A-ASSOCIATE-RQ: more than 128 presentation contexts need."""

_SLOWEST = 1024.0
"""Bytes a second at which a message must come in, once it takes longer than the idle time."""

_COMMAND, _LAST = 1, 2
"""Bits of a fragment's control header (PS3.8, annex E.2)."""

Rejection = tuple[int, int, int]
"""Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8, table 9-21)."""


class PduError(Exception):
    """What came breaks the protocol or exceeds a limit; the message says how, in words."""


async def read_pdu(
    reader: asyncio.StreamReader, kinds: Container[int], longest: int, seconds: float
) -> bytes:
    """The next PDU. Raises PduError, TimeoutError, and IncompleteReadError where there is none.

    kinds: that may come. longest: of its body, in bytes. seconds: from its first byte to its last.
    """
    first = await reader.readexactly(1)
    if first[0] not in kinds:
        raise PduError("it sent a PDU that is not expected, or none at all")
    async with asyncio.timeout(seconds):
        rest = await reader.readexactly(5)
        (length,) = struct.unpack(">xL", rest)
        if length > longest:
            raise PduError("it sent more than is allowed")
        return first + rest + await reader.readexactly(length)


@dataclass(frozen=True)
class AssociationRequest:
    """What an A-ASSOCIATE-RQ says of itself: both titles, and the version of the protocol."""

    calling: str
    called: str
    version: int

    @classmethod
    def read(cls, pdu: bytes) -> AssociationRequest:
        """Raises PduError where pynetdicom could not make an association of it."""
        request = A_ASSOCIATE_RQ()
        try:
            request.decode(pdu)
            primitive = request.to_primitive()
        except Exception as error:  # the parser meets hostile bytes with any exception there is
            raise PduError("its association request is invalid") from error
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
    """Follows the messages in a peer's P-DATA PDUs; each command and data set has its limits.

    most: bytes of one. seconds: that one may take; more where it comes at a fair pace.
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
            raise PduError("a PDU has no fragment, or those of several messages")
        return begins[0]

    def _begins(self, context: int, control: int) -> bool:
        """Whether a message begins with this fragment, which must fit to those before it."""
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
    """Presentation context and control header of each in a P-DATA-TF. Raises PduError."""
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
    """Whether a P-DATA-TF of pynetdicom has the end of a command: an answer is whole."""
    return any(control & (_COMMAND | _LAST) == _COMMAND | _LAST for _, control in fragments(pdu))
