"""An association's request is thinned out: the peer does not see any difference."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from oarflow.node.listener import direct
from oarflow.node.listener.server import Listener
from oarflow.node.listener.thinning import completed, thinned
from oarflow.node.listener.waiting import Waiting, WaitingRoom
from tests.oarflow.node.node_bench import CT, SYNTAX, Bench, free_port

OTHER = "1.2.840.10008.5.1.4.1.1.1"
"""Computed radiography: not for this node."""

KNOWN = {CT.encode(), str(Verification).encode()}


def request(*proposed: tuple[int, str, list[str]]) -> bytes:
    """An A-ASSOCIATE-RQ. proposed: number, abstract syntax, transfer syntaxes."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = "SCANNER", "OARFLOW"
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = UID("1.2.3")
    primitive.user_information = [length, implementation]
    contexts = []
    for number, abstract, transfer in proposed:
        context = build_context(abstract, transfer)
        context.context_id = number
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    whole = A_ASSOCIATE_RQ()
    whole.from_primitive(primitive)
    return whole.encode()


def many() -> bytes:
    """As many contexts as there can be, most of them of no use."""
    useful = {7: CT, 101: str(Verification), 255: CT}
    return request(
        *(
            (number, useful.get(number, f"{OTHER}.{number}"), [SYNTAX, str(ImplicitVRLittleEndian)])
            for number in range(1, 256, 2)
        )
    )


def answer_to(listener: Listener, pdu: bytes) -> bytes:
    """All that comes until the peer would have to go on, or the end."""
    with socket.create_connection(("127.0.0.1", listener.port), 10) as peer:
        peer.sendall(pdu)
        head = peer.recv(6, socket.MSG_WAITALL)
        return head + peer.recv(struct.unpack(">BxL", head)[1], socket.MSG_WAITALL)


def unthinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "thinned", lambda pdu, _: (pdu, []))


PDUS: dict[str, Callable[[], bytes]] = {
    "many": many,
    "none of use": lambda: request((1, OTHER, [SYNTAX]), (3, f"{OTHER}.1", [SYNTAX])),
    "all of use": lambda: request((1, CT, [SYNTAX]), (3, str(Verification), [SYNTAX])),
    "a known one with no known transfer syntax": lambda: request(
        (1, OTHER, [SYNTAX]), (3, CT, ["1.2.3"]), (5, str(Verification), [SYNTAX])
    ),
    "not in order": lambda: request((9, OTHER, [SYNTAX]), (5, CT, [SYNTAX]), (1, OTHER, [SYNTAX])),
    "a number twice": lambda: request((1, OTHER, [SYNTAX]), (1, CT, [SYNTAX])),
}


@pytest.mark.parametrize("name", PDUS)
def test_the_answer_is_the_same_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bench = Bench(tmp_path, listener={"port": free_port()})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        pdu = PDUS[name]()
        answer = answer_to(listener, pdu)
        unthinned(monkeypatch)
        assert answer == answer_to(listener, pdu)
        assert answer[0] in (2, 7)
    finally:
        listener.stop()


def test_what_is_of_no_use_is_taken_out() -> None:
    fewer, refusals = thinned(many(), KNOWN)
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(fewer)
    assert [one.context_id for one in pdu.presentation_context] == [7, 101, 255]
    assert len(refusals) == 125
    assert thinned(fewer, KNOWN) == (fewer, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\x40\0\0\x13" + SYNTAX.encode(), b"\x41\0\0\x13" + SYNTAX.encode()),
        (OTHER.encode(), OTHER.encode().replace(b".", b",")),
        (OTHER.encode(), OTHER.encode()[:-1] + b"\0"),
        (b"\x03\0\0\0\x30", b"\x02\0\0\0\x30"),
        (b"\x03\0\0\0\x30", b"\x05\0\0\0\x30"),
    ],
    ids=["another item", "no UID", "a padded UID", "an even number", "a number twice"],
)
def test_whatever_is_not_plain_is_left_as_it_came(before: bytes, after: bytes) -> None:
    pdu = request((1, CT, [SYNTAX]), (3, OTHER, [SYNTAX]), (5, OTHER, [SYNTAX]))
    assert before in pdu
    assert thinned(pdu, KNOWN)[1]
    odd = pdu.replace(before, after)
    assert thinned(odd, KNOWN) == (odd, [])


@given(st.data())
def test_damaged_requests_are_as_they_came_or_fewer_contexts(data: st.DataObject) -> None:
    """No damage raises; where anything is taken out, the rest is still whole."""
    pdu = bytearray(request((1, OTHER, [SYNTAX]), (3, CT, [SYNTAX]), (5, OTHER, [SYNTAX])))
    for _ in range(data.draw(st.integers(1, 4))):
        pdu[data.draw(st.integers(74, len(pdu) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(pdu[: data.draw(st.integers(6, len(pdu)))])
    fewer, refusals = thinned(cut, KNOWN)
    assert (fewer == cut) == (not refusals)
    assert len(cut) - len(fewer) >= 25 * len(refusals)


def test_an_answer_is_completed() -> None:
    _, refusals = thinned(many(), KNOWN)
    context = build_context(CT, SYNTAX)
    context.context_id, context.result = 7, 0
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = "SCANNER", "OARFLOW"
    length = MaximumLengthNotification()
    length.maximum_length_received = 16382
    primitive.user_information = [length]
    primitive.presentation_context_definition_results_list = [context]
    primitive.result = 0
    answer = A_ASSOCIATE_AC()
    answer.from_primitive(primitive)
    whole = A_ASSOCIATE_AC()
    whole.decode(completed(answer.encode(), refusals))
    results = {one.context_id: one.result for one in whole.presentation_context}
    assert list(results) == [7, *(n for n in range(1, 256, 2) if n not in (7, 101, 255))]
    assert results[7] == 0
    assert set(results.values()) == {0, 3}


@pytest.fixture
def excuses(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """What ended a thread."""
    found: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda what: found.append(what.exc_type))
    return found


def test_a_request_that_no_association_can_be_is_aborted(
    tmp_path: Path, excuses: list[type[BaseException]]
) -> None:
    wrong = bytearray(request((1, CT, [SYNTAX])))
    wrong[wrong.index(b"\x20\x00", 74) + 4] = 2  # numbers of contexts are odd (PS3.8, 9.3.2.2)
    bench = Bench(tmp_path, listener={"port": free_port()})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as peer:
        peer.sendall(wrong)
        assert peer.recv(1) == b"\x07", "A-ABORT"
    listener.stop()
    assert excuses == []


def test_a_listener_stops_while_a_peer_has_asked_for_nothing_yet(
    tmp_path: Path, excuses: list[type[BaseException]], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter, waits = WaitingRoom.enter, threading.Event()

    def entered(room: WaitingRoom, one: Waiting) -> None:
        enter(room, one)
        waits.set()

    monkeypatch.setattr(WaitingRoom, "enter", entered)
    bench = Bench(tmp_path, listener={"port": free_port()})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as peer:
        assert waits.wait(10)
        listener.stop()
        assert peer.recv(1) == b"", "closed, and no PDU"
    assert excuses == []


def test_who_comes_while_the_listener_stops_is_cut_off() -> None:
    """The connection was accepted; its thread enters after the room was closed."""
    room = WaitingRoom(8, 2)
    room.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        one = Waiting("127.0.0.1", ours, time.monotonic() + 30)
        room.enter(one)
        assert theirs.recv(1) == b""
        assert not room.leave(one)
