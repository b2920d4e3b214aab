"""Several processes receive: limits hold over all of them; one that ends takes nothing along."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification
from sqlalchemy import select

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database
from oarflow.node.database.models import Instance
from oarflow.node.listener import processes as processes_module
from oarflow.node.listener.process import Order
from oarflow.node.listener.processes import Processes, SharedListener
from oarflow.node.listener.tally import Tally
from oarflow.node.requesting import associate
from tests.oarflow.node.node_bench import (
    CT,
    SYNTAX,
    Bench,
    as_file,
    ct_slice,
    free_port,
    send_files,
    wait_for,
    write_series,
)
from tests.oarflow.node.test_listener import issue
from tests.oarflow.node.test_node_crashes import Site

Start = Callable[..., tuple[Bench, SharedListener, Processes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a listener with two processes; listener: its settings."""
    started: list[SharedListener] = []

    def begin(**listener: Any) -> tuple[Bench, SharedListener, Processes]:
        bench = Bench(tmp_path, listener={"port": free_port(), "processes": 2, **listener})
        processes = Processes(bench.settings)
        shared = SharedListener(processes, bench.settings.listener, bench.receiver)
        shared.start()
        started.append(shared)
        return bench, shared, processes

    yield begin
    for one in started:
        one.stop()


def call(listener: SharedListener) -> Association:
    entity = AE(ae_title="SCANNER")
    entity.dimse_timeout = 20
    entity.add_requested_context(CT, SYNTAX)
    entity.add_requested_context(Verification)
    return associate(entity, "127.0.0.1", listener.port, ae_title="OARFLOW")


def test_nobody_is_let_in_before_somebody_receives(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that calls while the node starts is refused at once, and not left to wait."""
    began, errors = Processes.start, []

    def watched(processes: Processes, address: Any) -> None:
        with socket.socket() as early:
            errors.append(early.connect_ex(address[:2]))
        began(processes, address)

    monkeypatch.setattr(Processes, "start", watched)
    _, listener, _ = start()
    assert errors == [errno.ECONNREFUSED]
    association = call(listener)
    assert association.is_established
    association.release()


def test_a_port_that_is_taken_while_the_processes_start_is_named(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def taken(_: Processes, address: Any) -> None:
            other.bind(address[:2])
            other.listen()

        monkeypatch.setattr(Processes, "start", taken)
        with pytest.raises(ConfigurationError, match="cannot listen on"):
            start()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_everything_that_eight_send_is_there_once(start: Start, tmp_path: Path) -> None:
    """Two of them send the same study under the same title, at the same time."""
    bench, listener, processes = start()
    studies = [write_series(tmp_path / f"ct{n}", f"study-{n}", range(12)) for n in range(7)]
    studies.append(studies[0])

    def send(files: list[Path]) -> list[int]:
        return send_files(listener.port, files)

    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(send, studies))
    assert answers == [[0] * 12] * 8
    rows = bench.instances()
    root = bench.settings.storage.root
    assert len(rows) == len({row.sop_instance_uid for row in rows}) == 7 * 12
    assert not any(row.conflict for row in rows)
    assert {root / row.path for row in rows} == set(root.glob("incoming/*/*.dcm"))
    assert not list(root.glob("incoming/*/.part-*"))
    assert len(bench.jobs()) == 7
    assert min(processes.taken()) >= 2


def test_the_limit_on_associations_is_of_all_together(start: Start) -> None:
    _, listener, processes = start(max_associations=2)
    first, second, third = (call(listener) for _ in range(3))
    assert (first.is_established, second.is_established) == (True, True)
    assert sorted(processes.taken()) == [1, 2]
    assert third.is_rejected
    assert third.acceptor.primitive.result_source == 3  # the presentation service: for now
    assert third.acceptor.primitive.diagnostic == 2  # a local limit
    first.release()
    wait_for(lambda: (again := call(listener)).is_established and not again.abort(), 20, "room")
    second.release()


def test_a_hanging_process_is_told_and_replaced(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped, not ended: senders go to the other one meanwhile."""
    monkeypatch.setattr(processes_module, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(processes_module, "HANG_SECONDS", 8.0)
    _, listener, processes = start()
    before = processes.pids()
    os.kill(before[0], signal.SIGSTOP)
    trouble = "1 of the receiving processes give no sign of life"
    wait_for(lambda: listener.trouble() == trouble, 20, "the trouble")
    for _ in range(3):
        association = call(listener)
        assert association.is_established
        association.release()
    wait_for(lambda: processes.pids()[0] != before[0], 30, "another process")
    wait_for(lambda: listener.trouble() is None, 60, "its start")
    assert processes.pids()[1] == before[1]
    assert gone(before[0])
    assert "gives no sign of life" in caplog.text


def test_an_address_that_is_not_on_the_list_reaches_no_process(start: Start) -> None:
    _, listener, processes = start(allow=[{"addresses": ["192.0.2.7"]}])
    with socket.create_connection(("127.0.0.1", listener.port), 5) as peer:
        peer.settimeout(10)
        assert peer.recv(1) == b""
    assert processes.taken() == [0, 0]


def test_a_title_that_is_not_on_the_list_is_rejected(start: Start) -> None:
    _, listener, _ = start(allow=[{"ae_title": "CT1"}])
    assert call(listener).is_rejected


def test_a_killed_process_is_told_and_started_anew(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench, listener, processes = start()
    files = write_series(tmp_path / "ct", "a", range(2))
    first, second = call(listener), call(listener)
    assert processes.taken() == [1, 1]
    before = processes.pids()
    with caplog.at_level(logging.ERROR):
        os.kill(before[processes._last], signal.SIGKILL)  # the one that has the second
        wait_for(listener.trouble, 20, "its end")
        wait_for(lambda: not second.is_established, 20, "its association's end")
        assert first.send_c_store(files[0]).Status == 0
        wait_for(lambda: listener.trouble() is None, 60, "the next one")
    assert "started anew" in caplog.text
    after = processes.pids()
    assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1
    assert processes.connections() == 1
    third = call(listener)
    assert third.send_c_store(files[1]).Status == 0
    assert sorted(processes.taken()) == [1, 1]
    assert len(bench.instances()) == 2
    first.release()
    third.release()


def test_processes_can_be_asked_for_while_one_is_started_anew(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, listener, processes = start()
    before = processes.pids()
    while_starting: list[list[int]] = []

    def order(**parts: Any) -> Order:
        while_starting.append(processes.pids())
        return Order(**parts)

    monkeypatch.setattr(processes_module, "Order", order)
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: while_starting, 30, "a new process")
    assert while_starting[0] == before
    wait_for(lambda: listener.trouble() is None, 60, "its start")


def test_a_process_that_hangs_is_killed_at_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_module, "STOP_SECONDS", 1.0)
    _, listener, processes = start()
    pids = processes.pids()
    os.kill(pids[0], signal.SIGSTOP)
    # One goes to either; the one that hangs never takes its own.
    peers = [socket.create_connection(("127.0.0.1", listener.port), 5) for _ in range(2)]
    wait_for(lambda: processes.connections() == 1, 20, "a connection")
    for peer in peers:
        peer.close()
    listener.stop()
    assert all(gone(pid) for pid in pids)


def test_after_a_stop_nothing_is_left(start: Start) -> None:
    bench, listener, processes = start()
    association = call(listener)
    pids = processes.pids()
    listener.stop()
    wait_for(lambda: not association.is_established, 20, "the association's end")
    assert all(gone(pid) for pid in pids)
    again = SharedListener(Processes(bench.settings), bench.settings.listener, bench.receiver)
    again.start()
    again.stop()


def test_processes_that_do_not_start_are_an_error(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_module, "START_SECONDS", 0.0)
    with pytest.raises(ConfigurationError, match="does not start"):
        start()
    assert not [one for one in psutil.Process().children() if "spawn_main" in str(one.cmdline())]


def test_tls_goes_through_the_processes(start: Start, tmp_path: Path) -> None:
    storescu = shutil.which("storescu")
    if storescu is None:
        pytest.skip("storescu is not installed (Debian: dcmtk)")
    authority = ec.generate_private_key(ec.SECP256R1())
    issue(tmp_path, "ca", authority, authority)
    for name in ("node", "client"):
        issue(tmp_path, name, ec.generate_private_key(ec.SECP256R1()), authority)
    tls = {
        key: str(tmp_path / name)
        for key, name in (("certificate", "node.pem"), ("key", "node.key"), ("ca", "ca.pem"))
    }
    bench, listener, _ = start(tls=tls)
    (file,) = write_series(tmp_path / "ct", "a", range(1))
    place = ["-aec", "OARFLOW", "127.0.0.1", str(listener.port), str(file)]
    trust = ["+cf", str(tmp_path / "ca.pem")]
    own = ["+tls", str(tmp_path / "client.key"), str(tmp_path / "client.pem")]
    assert subprocess.run([storescu, "+tla", *trust, *place], check=False).returncode != 0
    assert bench.instances() == []
    assert subprocess.run([storescu, *own, *trust, *place], check=False).returncode == 0
    assert len(bench.instances()) == 1


def test_a_tally_counts_by_place() -> None:
    tally = Tally(3, 2)
    tally.begin(1)
    tally.take(1)
    tally.take(1)
    tally.set_live(1, 2)
    tally.set_live(2, 5)
    assert [tally.ready(place) for place in range(3)] == [False, True, False]
    assert [tally.elsewhere(place) for place in range(3)] == [7, 5, 2]
    assert (tally.taken(1), tally.live(1)) == (2, 2)
    tally.set_addresses(1, ["10.0.0.1", "10.0.0.2", "10.0.0.1"])  # there is room for two
    tally.set_addresses(2, ["10.0.0.1"])
    assert [tally.elsewhere_from(place, "10.0.0.1") for place in range(3)] == [2, 1, 1]
    assert tally.elsewhere_from(0, "10.0.0.3") == 0
    tally.beat(1)
    assert [tally.beats(place) for place in range(3)] == [0, 1, 0]
    tally.clear(1)
    assert tally.elsewhere_from(0, "10.0.0.1") == 1
    assert (tally.ready(1), tally.taken(1), tally.elsewhere(0)) == (False, 0, 5)


@pytest.mark.node
@pytest.mark.parametrize("step", ["before the rename", "after the rename", "after the journal"])
def test_a_receiving_process_is_killed_and_the_node_goes_on(tmp_path: Path, step: str) -> None:
    """The sender sends again what was not answered, to the same node."""
    # The sender's count: what is sent again may come late on a busy machine.
    site = Site(tmp_path, series={"expect_images": True, "gap_seconds": 300})
    files = [tmp_path / f"{k}.dcm" for k in range(12)]
    for k, file in enumerate(files):
        file.write_bytes(as_file(ct_slice("a", k, ImagesInAcquisition=12)))
    mark = tmp_path / "killed"
    killing = {"OARFLOW_TEST_KILL": step, "OARFLOW_TEST_KILL_ONE": str(mark)}
    with site.process(OARFLOW_TEST_ENGINE="here", **killing) as node:
        site.up(node)
        unanswered = files
        until = time.monotonic() + 120
        while unanswered:
            assert time.monotonic() < until
            statuses = send_files(site.port, unanswered)
            assert set(statuses) <= {0, -1}
            unanswered = [
                file for file, status in zip(unanswered, statuses, strict=True) if status != 0
            ]
            time.sleep(0.2)
        assert mark.exists()
        assert node.poll() is None
        wait_for(site.at_rest, 60, "the job's end")
        database = Database(site.settings.database_url)
        with database.read() as session:
            rows = session.scalars(select(Instance)).all()
        database.close()
        assert len({row.sop_instance_uid for row in rows}) == len(rows) == 12
        node.send_signal(signal.SIGTERM)
        assert node.wait(60) == 0
    with site.process(OARFLOW_TEST_ENGINE="here") as node:  # what was half written is swept away
        site.up(node)
        site.account()
    text = site.log.read_text()
    assert "started anew" in text
    assert "Traceback" not in text
    assert "Secret" not in text


@pytest.mark.node
def test_a_killed_node_leaves_no_process_that_receives(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.process(OARFLOW_TEST_ENGINE="here") as node:
        site.up(node)
        (file,) = write_series(tmp_path / "ct", "a", range(1))
        assert send_files(site.port, [file]) == [0]
        receiving = [
            one.pid
            for one in psutil.Process(node.pid).children()
            if "spawn_main" in str(one.cmdline())
        ]
        assert len(receiving) == 2
        node.kill()
        node.wait()
        wait_for(lambda: all(gone(pid) for pid in receiving), 5, "their end")
