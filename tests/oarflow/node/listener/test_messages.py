"""Messages in whatever fragments: whole ones are stored, the others end the association."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from oarflow.node.database.receiving import Standing
from oarflow.node.listener.server import Listener
from oarflow.node.requesting import associate
from oarflow.node.storage.spool import split
from tests.oarflow.node.node_bench import (
    CT,
    SYNTAX,
    Bench,
    ct_slice,
    encoded,
    free_port,
    uid,
    wait_for,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, listener={"port": free_port(), "idle_seconds": 5})


@pytest.fixture
def association(bench: Bench) -> Iterator[Association]:
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    entity = AE(ae_title="SCANNER")
    entity.dimse_timeout = 20
    entity.add_requested_context(CT, SYNTAX)
    entity.add_requested_context(Verification)
    peer = associate(entity, "127.0.0.1", listener.port, ae_title="OARFLOW")
    assert peer.is_established
    yield peer
    peer.abort()
    listener.stop()


def pieces(k: int, context_id: int, size: int) -> list[tuple[int, bytes]]:
    """A C-STORE as (control header, value), in fragments of so many bytes."""
    request = C_STORE()
    request.MessageID = k + 1
    request.AffectedSOPClassUID = UID(CT)
    request.AffectedSOPInstanceUID = UID(uid("a", k))
    request.Priority = 0
    request.DataSet = BytesIO(encoded(ct_slice("a", k)))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    sent = message.encode_msg(context_id, size + 6)
    values = [value for pdata in sent for _, value in pdata.presentation_data_value_list]
    return [(value[0], value[1:]) for value in values]


def pdu(context_id: int, *fragments: tuple[int, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">LBB", len(value) + 2, context_id, control) + value
        for control, value in fragments
    )
    return struct.pack(">BxL", 4, len(body)) + body


def context_of(association: Association) -> int:
    (found,) = (one for one in association.accepted_contexts if one.abstract_syntax == CT)
    assert found.context_id is not None
    return found.context_id


def send(association: Association, *pdus: bytes) -> None:
    assert association.dul.socket is not None
    for one in pdus:
        association.dul.socket.send(one)


def status(association: Association) -> int:
    """Of the next answer."""
    _, message = association.dimse.get_msg(block=True)
    assert isinstance(message, C_STORE)
    assert message.Status is not None
    return int(message.Status)


WAYS: dict[str, Callable[[int, list[tuple[int, bytes]]], list[bytes]]] = {
    "a fragment each": lambda cx, parts: [pdu(cx, part) for part in parts],
    "all in one": lambda cx, parts: [pdu(cx, *parts)],
    "the command and the first data": lambda cx, parts: [
        pdu(cx, *parts[:2]),
        *(pdu(cx, part) for part in parts[2:]),
    ],
    "the command in two": lambda cx, parts: [
        pdu(cx, (1, parts[0][1][:30])),
        pdu(cx, (3, parts[0][1][30:])),
        *(pdu(cx, part) for part in parts[1:]),
    ],
    "an empty end": lambda cx, parts: [
        *(
            pdu(cx, (control & 1 or 0, value) if control == 2 else (control, value))
            for control, value in parts
        ),
        pdu(cx, (2, b"")),
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_store_arrives_in_whatever_pieces(
    bench: Bench, association: Association, way: str
) -> None:
    """Twice on one association, so that nothing is left of the first."""
    context_id = context_of(association)
    for k in range(2):
        send(association, *WAYS[way](context_id, pieces(k, context_id, 300)))
        assert status(association) == 0
    kept = bench.instances()
    assert [one.sop_instance_uid for one in kept] == [uid("a", 0), uid("a", 1)]
    for k, one in enumerate(kept):
        assert split(bench.settings.storage.root / one.path)[2] == encoded(ct_slice("a", k))


def test_echo_between_stores(bench: Bench, association: Association) -> None:
    for k in range(3):
        assert association.send_c_store(ct_slice_with_meta(k)).Status == 0
        assert association.send_c_echo().Status == 0
    assert len(bench.instances()) == 3
    association.release()
    assert association.is_released


def ct_slice_with_meta(k: int) -> Dataset:
    made = ct_slice("a", k)
    encoded(made)
    return made


WRONG: dict[str, Callable[[int], list[bytes]]] = {
    "data of another context": lambda cx: [pdu(cx, pieces(0, cx, 300)[0]), pdu(cx + 2, (2, b"x"))],
    "a command within the data": lambda cx: [
        pdu(cx, *pieces(0, cx, 300)[:2]),
        pdu(cx, pieces(1, cx, 300)[0]),
    ],
    "data behind the last": lambda cx: [pdu(cx, *pieces(0, cx, 1 << 16), (2, b"x"))],
    "a fragment longer than its PDU": lambda cx: [
        struct.pack(">BxL", 4, 8) + struct.pack(">LBB", 99, cx, 3) + b"xx"
    ],
    "no fragment": lambda cx: [struct.pack(">BxL", 4, 0)],
    "an unknown PDU": lambda cx: [struct.pack(">BxL", 9, 0)],
    "data without a command": lambda cx: [pdu(cx, (2, b"x"))],
    "a command of noise": lambda cx: [pdu(cx, (3, bytes(range(256))))],
    "a command of nothing": lambda cx: [pdu(cx, (3, b""))],
    "a command of an unknown kind": lambda cx: [pdu(cx, (3, command(0x7777)))],
    "a command of another service": lambda cx: [pdu(cx, (3, command(0x0020)))],
    "an answer that nobody asked for": lambda cx: [pdu(cx, (3, command(0x8001)))] * 2,
    "a store without a data set": lambda cx: [pdu(cx, (3, command(0x0001)))],
    "another request for an association": lambda cx: [struct.pack(">BxL", 1, 4) + bytes(4)],
    "the answer to a release": lambda cx: [struct.pack(">BxL4x", 6, 4)],
}


def command(field: int) -> bytes:
    """A command set without a data set. field: its Command Field (PS3.7, annex E)."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = element(2, CT.encode() + b"\0") + element(0x100, struct.pack("<H", field))
    body += element(0x110, b"\1\0") + element(0x800, b"\1\1")
    return element(0, struct.pack("<L", len(body))) + body


@pytest.mark.parametrize("case", WRONG)
def test_messages_that_are_wrong_end_the_association(
    bench: Bench, association: Association, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    send(association, *WRONG[case](context_of(association)))
    wait_for(lambda: association.is_aborted, 20, "the abort")
    assert "Traceback" not in caplog.text
    assert bench.instances() == []
    assert bench.receiver.spool.stored() == []


def test_an_abort_in_the_middle_leaves_nothing(bench: Bench, association: Association) -> None:
    context_id = context_of(association)
    send(association, *(pdu(context_id, part) for part in pieces(0, context_id, 300)[:3]))
    association.abort()
    bench.send(ct_slice("a", 1))
    assert [one.sop_instance_uid for one in bench.instances()] == [uid("a", 1)]


def test_what_comes_behind_a_store_in_one_piece_is_not_lost(
    bench: Bench, association: Association
) -> None:
    """Sent without waiting for answers: store, echo, store, echo."""
    context_id = context_of(association)
    (other,) = (one for one in association.accepted_contexts if one.abstract_syntax == Verification)
    assert other.context_id is not None
    request = C_ECHO()
    request.MessageID, request.AffectedSOPClassUID = 9, UID(Verification)
    message = C_ECHO_RQ()
    message.primitive_to_message(request)
    (echo,) = (
        pdu(other.context_id, (value[0], value[1:]))
        for pdata in message.encode_msg(other.context_id, 16384)
        for _, value in pdata.presentation_data_value_list
    )
    sent = b""
    for k in range(2):
        sent += b"".join(pdu(context_id, part) for part in pieces(k, context_id, 300))
        sent += echo
    send(association, sent)
    answers = [association.dimse.get_msg(block=True)[1] for _ in range(4)]
    assert list(map(type, answers)) == [C_STORE, C_ECHO, C_STORE, C_ECHO]
    assert len(bench.instances()) == 2


def test_a_peer_that_does_not_wait_for_answers_is_held_up(
    bench: Bench, association: Association, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages are not piled up in the node's memory."""
    go_on, receive = threading.Event(), bench.receiver.receive

    def slow(*parts: Any) -> Standing:
        assert go_on.wait(30)
        return receive(*parts)

    monkeypatch.setattr(bench.receiver, "receive", slow)
    context_id = context_of(association)
    assert association.dul.socket is not None
    peer = association.dul.socket.socket
    assert peer is not None
    message = b"".join(pdu(context_id, part) for part in pieces(0, context_id, 1 << 14))
    peer.settimeout(2)

    def send_all() -> None:
        for _ in range((64 << 20) // len(message)):
            peer.sendall(message)

    with pytest.raises(TimeoutError):
        send_all()
    go_on.set()
