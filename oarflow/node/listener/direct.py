"""C-STORE, answered by the thread that reads the socket; everything else is pynetdicom's.

pynetdicom looks for work once a millisecond, in two threads for each association, and takes
messages apart in several stages: a slice would spend longer there than on its way to the disk. Here
a C-STORE's fragments are put together as they come, and its answer is written at once. Whatever is
not plainly a C-STORE is pynetdicom's as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT
from pynetdicom.presentation import PresentationContext

from oarflow.node.listener.bounded import BoundedSocket
from oarflow.node.listener.statuses import NotStored, Status
from oarflow.node.listener.thinning import completed, thinned

LINGER_SECONDS = 0.1
"""How long the next message is waited for here, before pynetdicom's own loop goes on."""

_IDLE, _NO_ASSOCIATION, _DATA_TRANSFER = "Sta1", ("Sta2", "Sta13"), "Sta6"
_CLOSED, _EXPIRED, _INVALID = "Evt17", "Evt18", "Evt19"
"""States and events of PS3.8, 9.2, as pynetdicom names them."""

_REQUEST = b"\1"
_P_DATA = 4
_KNOWN_PDUS = range(1, 8)
_COMMAND, _LAST = 1, 2
"""Bits of a fragment's control header (PS3.8, annex E.2)."""

_CLASS, _FIELD, _MESSAGE_ID, _ANSWERS = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _COMMENT, _INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
"""Elements of a command (PS3.7, annex E); their group is 0000."""

_C_STORE_RQ, _C_STORE_RSP, _NO_DATA_SET = 0x0001, 0x8001, 0x0101


@dataclass(frozen=True)
class Request:
    """A C-STORE's command. Its UIDs are not yet held against the data set."""

    context_id: int
    message_id: int
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str


Store = Callable[[Association, Request, bytes], NotStored | None]
"""Takes a data set. None: it is safe."""


@dataclass
class _Message:
    """A C-STORE that is coming in."""

    request: Request
    data: list[memoryview] = field(default_factory=list)


@dataclass(frozen=True)
class _Fragment:
    context_id: int
    control: int
    value: memoryview


class DirectProvider(DULServiceProvider):
    """pynetdicom's upper layer with a short way for C-STORE.

    refusals: answers to contexts that were taken out of the association's request.
    """

    store: Store
    message: _Message | None
    refusals: list[bytes]

    def _decode_pdu(self, bytestream: bytearray) -> tuple[Any, str]:
        """An association's request comes without what is refused anyway."""
        if bytestream[:1] == _REQUEST:
            known = {str(one.abstract_syntax).encode() for one in self._supported()}
            request, self.refusals = thinned(bytes(bytestream), known)
            bytestream = bytearray(request)
        pdu, event = super()._decode_pdu(bytestream)
        if isinstance(pdu, A_ASSOCIATE_RQ):
            pdu.to_primitive()  # what fails here is an invalid PDU; later it would end the thread
        return pdu, event

    def _process_recv_primitive(self) -> bool:
        """An abort of no association closes its connection: no PDU may be sent before or after.

        Where the connection is closed already there is nothing to do; pynetdicom's thread would end
        with a traceback.
        """
        waiting = self.to_provider_queue.queue
        state = self.state_machine.current_state
        none = state in (_IDLE, *_NO_ASSOCIATION)
        if not none or not waiting or not isinstance(waiting[0], A_ABORT | A_P_ABORT):
            return super()._process_recv_primitive()
        if not self.event_queue.empty():  # what was handed over comes first
            return False
        self.to_provider_queue.get()
        if state != _IDLE:
            self.event_queue.put(_EXPIRED)
        return True

    def _supported(self) -> list[PresentationContext]:
        return self.assoc.acceptor.supported_contexts

    def _send(self, pdu: Any) -> None:
        """The answer to it refuses that."""
        if self.refusals and self.socket is not None and isinstance(pdu, A_ASSOCIATE_AC):
            self.socket.send(completed(pdu.encode(), self.refusals))
            self.refusals = []
            evt.trigger(self.assoc, evt.EVT_PDU_SENT, {"pdu": pdu})
        else:
            super()._send(pdu)

    def _read_pdu_data(self) -> None:
        """There is something to read: its messages, for as long as they follow each other."""
        if self.state_machine.current_state != _DATA_TRANSFER:
            super()._read_pdu_data()
            return
        if not self.event_queue.empty():  # what was handed over comes first
            return
        self.assoc._reactor_checkpoint.clear()
        try:
            while self._one() and self._more():
                pass
        finally:
            self._idle_timer.restart()
            self.assoc._reactor_checkpoint.set()

    def _one(self) -> bool:
        """Read a PDU. False: pynetdicom has to go on."""
        pdu = self._read()
        if pdu is None:
            return False
        try:
            message = self._follow(pdu)
            if message is None:
                decoded, event = self._decode_pdu(bytearray(pdu))
                self._recv_pdu.put(decoded)
                self.event_queue.put(event)
                return False
        except Exception:  # hostile bytes meet two parsers
            self.event_queue.put(_INVALID)
            return False
        if self.message is None:
            self._settle(message)
        return True

    def _read(self) -> bytearray | None:
        """A whole PDU, of any kind. None: the connection is of no more use."""
        assert self.socket is not None
        try:
            pdu = self.socket.recv(6)
            kind, length = struct.unpack(">BxL", pdu)
            if kind not in _KNOWN_PDUS:
                self.event_queue.put(_INVALID)
                return None
            pdu += self.socket.recv(length)
        except (OSError, struct.error):
            self.event_queue.put(_CLOSED)
            return None
        if len(pdu) != 6 + length:
            self.event_queue.put(_CLOSED)
            return None
        return pdu

    def _follow(self, pdu: bytearray) -> _Message | None:
        """The C-STORE that the PDU belongs to; None where it belongs to none.

        self.message is what still lacks fragments. Raises ValueError where fragments do not fit.
        """
        if pdu[0] != _P_DATA:
            return None
        fragments = list(_fragments(memoryview(pdu)))
        message = self.message
        if message is None:
            request = self._request(fragments.pop(0))
            if request is None:
                return None
            message = self.message = _Message(request)
        for number, fragment in enumerate(fragments, 1):
            last = bool(fragment.control & _LAST)
            fits = fragment.context_id == message.request.context_id
            if not fits or fragment.control & _COMMAND or (last and number < len(fragments)):
                raise ValueError("fragments of several messages")
            message.data.append(fragment.value)
            if last:
                self.message = None
        return message

    def _request(self, fragment: _Fragment) -> Request | None:
        """The C-STORE that begins here, if one does, and in one piece."""
        if fragment.control & (_COMMAND | _LAST) != _COMMAND | _LAST:
            return None
        context = self.assoc._accepted_cx.get(fragment.context_id)
        command = _elements(bytes(fragment.value))
        if context is None or not context.as_scp or command is None:
            return None
        kind, data_set = _number(command, _FIELD), _number(command, _DATA_SET_TYPE)
        message_id = _number(command, _MESSAGE_ID)
        if kind != _C_STORE_RQ or data_set in (None, _NO_DATA_SET) or message_id is None:
            return None
        uids = _uid(command, _CLASS), _uid(command, _INSTANCE)
        if str(context.abstract_syntax) != uids[0]:
            return None
        return Request(fragment.context_id, message_id, str(context.transfer_syntax[0]), *uids)

    def _settle(self, message: _Message) -> None:
        """Store it and say so."""
        assert self.socket is not None
        data = b"".join(message.data)
        message.data.clear()
        refusal = self.store(self.assoc, message.request, data)
        for pdu in answer(message.request, refusal, self.assoc.requestor.maximum_length or 0):
            self.socket.send(pdu)

    def _more(self) -> bool:
        """Whether there is more to read, soon."""
        if self._kill_thread or not self.to_provider_queue.empty():
            return False
        return isinstance(self.socket, BoundedSocket) and self.socket.comes(LINGER_SECONDS)


def _fragments(pdu: memoryview) -> Iterator[_Fragment]:
    """The fragments in a P-DATA-TF PDU (PS3.8, 9.3.5). Raises ValueError."""
    position = 6
    while position < len(pdu):
        if len(pdu) - position < 6:
            raise ValueError("a fragment is cut short")
        length, context_id, control = struct.unpack_from(">LBB", pdu, position)
        end = position + 4 + length
        if length < 2 or end > len(pdu):
            raise ValueError("a fragment is cut short")
        yield _Fragment(context_id, control, pdu[position + 6 : end])
        position = end
    if position == 6:
        raise ValueError("a PDU without fragments")


def _elements(command: bytes) -> dict[int, bytes] | None:
    """Values of a whole command, by element; None where it is no such thing."""
    if len(command) < 12:
        return None
    group, element, size, length = struct.unpack_from("<HHLL", command)
    if (group, element, size) != (0, 0, 4) or length != len(command) - 12:
        return None
    values = {}
    position = 12
    while position + 8 <= len(command):
        group, element, size = struct.unpack_from("<HHL", command, position)
        position += 8
        values[element] = command[position : position + size]
        position += size
        if group != 0:
            return None
    return values if position == len(command) else None


def _number(command: dict[int, bytes], element: int) -> int | None:
    value = command.get(element, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None


def _uid(command: dict[int, bytes], element: int) -> str:
    return command.get(element, b"").decode("ascii", "replace").rstrip("\0 ")


def answer(request: Request, refusal: NotStored | None, maximum: int) -> Iterator[bytes]:
    """A C-STORE's answer (PS3.7, 9.3.1.2) as PDUs. maximum: bytes of each, 0 for any."""
    status = Status.SUCCESS if refusal is None else refusal.status
    body = b"".join(
        (
            _element(_CLASS, request.sop_class_uid.encode("ascii", "replace")),
            _element(_FIELD, struct.pack("<H", _C_STORE_RSP)),
            _element(_ANSWERS, struct.pack("<H", request.message_id)),
            _element(_DATA_SET_TYPE, struct.pack("<H", _NO_DATA_SET)),
            _element(_STATUS, struct.pack("<H", status)),
            b"" if refusal is None else _element(_COMMENT, refusal.comment.encode(), b" "),
            _element(_INSTANCE, request.sop_instance_uid.encode("ascii", "replace")),
        )
    )
    command = _element(0, struct.pack("<L", len(body))) + body
    room = max(maximum - 6, 2) if maximum else len(command)
    for start in range(0, len(command), room):
        piece = command[start : start + room]
        control = _COMMAND | (_LAST if start + room >= len(command) else 0)
        yield (
            struct.pack(
                ">BxLLBB", _P_DATA, len(piece) + 6, len(piece) + 2, request.context_id, control
            )
            + piece
        )


def _element(element: int, value: bytes, padding: bytes = b"\0") -> bytes:
    """An element of a command, of even length."""
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", 0, element, len(value)) + value
