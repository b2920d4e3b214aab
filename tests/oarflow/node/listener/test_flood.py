"""Senders get through while others connect and close, are silent, send garbage, or are slow."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from oarflow.node.listener.gateway import PendingConnections
from oarflow.node.listener.server import Listener
from oarflow.node.logs import SPARING_SECONDS, Sparing
from oarflow.node.requesting import associate
from tests.oarflow.node.node_bench import (
    CT,
    SYNTAX,
    Bench,
    free_port,
    send_files,
    wait_for,
    write_series,
)
from tests.oarflow.node.test_node_crashes import Site

PLACES = 3
IDLE_SECONDS = 30.0

Start = Callable[..., Listener]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a listener with few places. settings: of the listener."""
    started: list[Listener] = []

    def begin(**settings: Any) -> Listener:
        few = {"max_associations": PLACES, "idle_seconds": IDLE_SECONDS}
        bench = Bench(tmp_path, listener={"port": free_port(), **few, **settings})
        listener = Listener(bench.settings.listener, bench.receiver)
        listener.start()
        started.append(listener)
        return listener

    yield begin
    for one in started:
        one.stop()


def call(port: int) -> Association:
    entity = AE(ae_title="SCANNER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.add_requested_context(CT, SYNTAX)
    entity.add_requested_context(Verification)
    return associate(entity, "127.0.0.1", port, ae_title="OARFLOW")


def let_in(port: int) -> bool:
    """Whether a sender gets an association now."""
    association = call(port)
    established = association.is_established
    association.release()
    return established


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def request_bytes(called: str = "OARFLOW", calling: str = "SCANNER") -> bytes:
    """An A-ASSOCIATE-RQ for Verification, by the tables of PS3.8, 9.3.2."""

    def item(kind: int, value: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(value)) + value

    context = struct.pack(">Bxxx", 1) + item(0x30, b"1.2.840.10008.1.1")
    items = item(0x10, b"1.2.840.10008.3.1.1.1")
    items += item(0x20, context + item(0x40, b"1.2.840.10008.1.2"))
    items += item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3"))
    fixed = struct.pack(">H2x16s16s32x", 1, called.ljust(16).encode(), calling.ljust(16).encode())
    return struct.pack(">BxL", 1, len(fixed + items)) + fixed + items


def answer(port: int, called: str = "OARFLOW", calling: str = "SCANNER") -> bytes:
    """The PDU that a request for an association brings, cut off behind an A-ASSOCIATE-RJ."""
    with connection(port) as peer:
        peer.sendall(request_bytes(called, calling))
        return peer.recv(10)


def rejected(result: int, source: int, diagnostic: int) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8, 9.3.4)."""
    return bytes([3, 0, 0, 0, 0, 4, 0, result, source, diagnostic])


def reset(peer: socket.socket) -> None:
    """Close it so that the other side sees a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def _shut(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)


def _request_and_close(peer: socket.socket) -> None:
    peer.sendall(request_bytes())
    peer.close()


def _half_a_request_and_close(peer: socket.socket) -> None:
    peer.sendall(request_bytes()[:40])
    peer.close()


SHORT: dict[str, Callable[[socket.socket], None]] = {
    "closed": lambda peer: peer.close(),
    "reset": reset,
    "half closed": _shut,
    "silent": lambda peer: None,
    "half a request, closed": _half_a_request_and_close,
    "a request, closed": _request_and_close,
    "a health check by HTTP": lambda peer: peer.sendall(b"GET / HTTP/1.0\r\n\r\n"),
    "an A-ABORT": lambda peer: peer.sendall(bytes([7, 0, 0, 0, 0, 4, 0, 0, 0, 0])),
    "data before a request": lambda peer: peer.sendall(struct.pack(">BxL", 4, 100)),
    "a request of another protocol": lambda peer: peer.sendall(
        request_bytes()[:6] + b"\0\0" + request_bytes()[8:]
    ),
    "a request of nonsense": lambda peer: peer.sendall(struct.pack(">BxL", 1, 80) + b"\xff" * 80),
}


@pytest.mark.parametrize("way", SHORT)
def test_what_brings_no_association_takes_no_place(start: Start, way: str) -> None:
    """Seven times as many as there are places; one second after them a sender gets in."""
    listener = start()
    peers = [connection(listener.port) for _ in range(7 * PLACES)]
    for peer in peers:
        SHORT[way](peer)
    time.sleep(1)
    assert let_in(listener.port)
    for peer in peers:
        peer.close()


def test_silent_connections_give_way_to_newer_ones(start: Start) -> None:
    """The oldest of an address is closed; a peer that asks for an association is let in."""
    listener = start(idle_seconds=60)
    peers = [connection(listener.port) for _ in range(4 * PLACES)]
    peers[0].settimeout(10)
    assert peers[0].recv(1) in (b"", b"\7")
    assert let_in(listener.port)
    for peer in peers:
        peer.close()


def drip(peer: socket.socket, data: bytes, until: float) -> float:
    """Send a byte every 0.1 s until the peer closes; seconds that it took."""
    began = time.monotonic()
    peer.settimeout(0.1)
    with contextlib.suppress(OSError):
        for byte in data:
            peer.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if not peer.recv(4096):
                    break
            if time.monotonic() > until:
                break
    return time.monotonic() - began


def established(port: int) -> socket.socket:
    """A connection with an association."""
    peer = connection(port)
    peer.sendall(request_bytes())
    assert peer.recv(4096)[0] == 2  # A-ASSOCIATE-AC
    return peer


def _slow_request(port: int) -> tuple[socket.socket, bytes]:
    return connection(port), request_bytes()


def _slow_data(port: int) -> tuple[socket.socket, bytes]:
    return established(port), struct.pack(">BxLLBB", 4, 100006, 100002, 1, 0) + bytes(100000)


def _tiny_data(port: int) -> tuple[socket.socket, bytes]:
    """Fragments of one byte of a command that never ends: each PDU is whole soon."""
    return established(port), struct.pack(">BxLLBBB", 4, 7, 3, 1, 1, 0) * 10000


@pytest.mark.parametrize("way", [_slow_request, _slow_data, _tiny_data])
def test_a_slow_sender_does_not_keep_its_place(
    start: Start, way: Callable[[int], tuple[socket.socket, bytes]]
) -> None:
    """From connection to request, a PDU, and a message have the idle time, and not each byte."""
    listener = start(idle_seconds=1.5)
    peer, data = way(listener.port)
    assert drip(peer, data, time.monotonic() + 15) < 1.5 + 4
    peer.close()


def test_a_message_that_comes_at_a_fair_pace_may_take_longer_than_the_idle_time(
    tmp_path: Path,
) -> None:
    """A message of 0.2 MB at 80 kB/s, twice the idle time: only the pace counts."""
    bench = Bench(tmp_path, listener={"port": free_port(), "idle_seconds": 1})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    pdu = struct.pack(">BxLLBB", 4, 8006, 8002, 1, 1) + bytes(8000)
    try:
        peer = established(listener.port)
        for _ in range(25):
            peer.sendall(pdu)
            time.sleep(0.1)
        peer.settimeout(0.1)
        with pytest.raises(TimeoutError):  # nothing was answered, and nothing was closed
            peer.recv(1)
        peer.close()
    finally:
        listener.stop()


def test_an_association_of_echoes_goes_on(start: Start) -> None:
    """Each message has its own time: many in a row are not one that is slow."""
    listener = start(idle_seconds=1)
    association = call(listener.port)
    for _ in range(12):
        assert association.send_c_echo().Status == 0
        time.sleep(0.25)
    association.release()


def test_one_address_does_not_get_all_places(start: Start) -> None:
    listener = start(max_associations=10, max_per_address=2)
    first, second = (call(listener.port) for _ in range(2))
    assert (first.is_established, second.is_established) == (True, True)
    assert answer(listener.port) == rejected(2, 3, 2)
    first.release()
    assert wait_for(lambda: let_in(listener.port), 10, "a place")
    second.release()


def test_the_oldest_of_the_same_address_gives_way_first() -> None:
    closed: list[str] = []
    pending = PendingConnections(3, per_address=2)
    for name in ("a1", "b1", "b2", "b3", "c1"):
        pending.add(name[0], partial(closed.append, name))
    # The third of b takes the first one's place; c, the fourth in all, takes that of a.
    assert closed == ["b1", "a1"]


def test_rejections_are_logged_with_address_and_titles_and_not_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, listener={"port": free_port()})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(12):
                assert answer(listener.port, called="OTHER") == rejected(1, 1, 7)
    finally:
        listener.stop()
    (line,) = (one.getMessage() for one in caplog.records if "reject" in one.getMessage())
    assert all(word in line for word in ("'SCANNER'", "127.0.0.1", "'OTHER'", "called AE title"))


def test_a_title_cannot_forge_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path, listener={"port": free_port()})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        with caplog.at_level(logging.WARNING), connection(listener.port) as peer:
            peer.sendall(request_bytes(called="X\n2026 ERROR"))
            peer.settimeout(10)
            peer.recv(100)
    finally:
        listener.stop()
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_a_line_a_minute_about_an_address(caplog: pytest.LogCaptureFixture) -> None:
    """What was left out is counted in the next line."""
    sparing, moment = Sparing(), [1000.0]
    logger = logging.getLogger("oarflow.node.test")

    def warn(address: str) -> None:
        sparing.warn(logger, address, "no %s", address, clock=lambda: moment[0])

    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            warn("10.0.0.1")
        warn("10.0.0.2")
        moment[0] += SPARING_SECONDS
        warn("10.0.0.1")
    assert [record.getMessage() for record in caplog.records] == [
        "no 10.0.0.1",
        "no 10.0.0.2",
        "no 10.0.0.1 (4 similar warnings were not logged)",
    ]


class Flood:
    """Twenty that connect and close, eight slow ones, and a TCP check every second."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        ways = [self._connect_and_close] * 20 + [self._slow] * 8 + [self._check]
        self._threads = [threading.Thread(target=way, daemon=True) for way in ways]

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        time.sleep(2)
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(20)

    def _connect_and_close(self) -> None:
        while not self._stop.wait(0.5):
            with contextlib.suppress(OSError):
                connection(self._port).close()

    def _check(self) -> None:
        while not self._stop.wait(1):
            with contextlib.suppress(OSError):
                connection(self._port).close()

    def _slow(self) -> None:
        """A byte a second of a request, or of data once there is an association."""
        turn = 0
        while not self._stop.is_set():
            turn += 1
            data = request_bytes() if turn % 2 else bytes([4]) * 4
            with contextlib.suppress(OSError, AssertionError):
                peer = connection(self._port) if turn % 2 else established(self._port)
                with peer:
                    for byte in data:
                        peer.sendall(bytes([byte]))
                        if self._stop.wait(1):
                            return


def deliver(port: int, studies: Sequence[list[Path]], pause: float) -> None:
    for files in studies:
        assert send_files(port, files) == [0] * len(files)
        time.sleep(pause)


def test_a_study_gets_through_a_flood(start: Start, tmp_path: Path) -> None:
    listener = start(max_associations=20)
    studies = [write_series(tmp_path / f"ct{n}", f"study-{n}", range(6)) for n in range(3)]
    with Flood(listener.port).goes_on():
        deliver(listener.port, studies, 1)
    assert listener.trouble() is None


@pytest.mark.node
def test_studies_get_through_a_minute_of_flood(tmp_path: Path) -> None:
    """The whole node, with its own settings: each study is stored at the first attempt."""
    site = Site(tmp_path)
    studies = [write_series(tmp_path / f"ct{n}", f"study-{n}", range(6)) for n in range(12)]
    with site.process(OARFLOW_TEST_ENGINE="here") as node:
        site.up(node)
        with Flood(site.port).goes_on():
            deliver(site.port, studies, 5)
        wait_for(lambda: len(site.jobs()) == 12 and site.at_rest(), 120, "the jobs' end")
    text = site.log.read_text()
    assert "Traceback" not in text
    assert text.count("is closed") <= 3  # of one address, in little more than a minute


def test_a_place_is_free_before_its_sender_hears_of_the_release(start: Start) -> None:
    """As many senders as places of an address; each comes again at once."""
    listener = start(max_associations=20, max_per_address=8)

    def come_again(_: int) -> list[bool]:
        return [let_in(listener.port) for _ in range(12)]

    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(come_again, range(8)))
    assert answers == [[True] * 12] * 8


def test_a_request_that_no_association_can_be_is_aborted(start: Start) -> None:
    wrong = bytearray(request_bytes())
    wrong[wrong.index(b"\x20\x00", 74) + 4] = 2  # numbers of contexts are odd (PS3.8, 9.3.2.2)
    with connection(start().port) as peer:
        peer.sendall(wrong)
        assert peer.recv(1) == b"\7"


def test_a_request_of_another_version_is_rejected(start: Start) -> None:
    with connection(start().port) as peer:
        peer.sendall(request_bytes()[:6] + b"\0\2" + request_bytes()[8:])
        assert peer.recv(20) == rejected(1, 2, 2)


def test_a_listener_stops_while_a_peer_has_asked_for_nothing_yet(start: Start) -> None:
    listener = start()
    with connection(listener.port) as peer:
        time.sleep(0.5)
        listener.stop()
        assert peer.recv(1) == b"", "closed, and no PDU"


def test_a_listener_that_stops_aborts_its_associations(start: Start) -> None:
    listener = start()
    peer = established(listener.port)
    began = time.monotonic()
    listener.stop()
    assert time.monotonic() - began < 10
    assert peer.recv(1) == b"\7"
    assert listener.trouble() == "the listener is not running"
    peer.close()
