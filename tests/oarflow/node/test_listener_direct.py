"""The short way of a C-STORE: whatever pieces it comes in, it ends as it would by pynetdicom."""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode
from pynetdicom.pdu_primitives import A_ABORT
from pynetdicom.sop_class import Verification
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, OperationalError

from oarflow.node.database import Database, receiving
from oarflow.node.database.models import Instance, Lease, now
from oarflow.node.database.quick import QuickConnection, Transaction
from oarflow.node.database.receiving import Standing
from oarflow.node.database.together import Together
from oarflow.node.listener import dataset as dataset_module
from oarflow.node.listener.dataset import Contents, inspect
from oarflow.node.listener.direct import DirectProvider, Request, answer
from oarflow.node.listener.receiver import Receiver
from oarflow.node.listener.server import Listener
from oarflow.node.listener.skim import NotPlain, skim
from oarflow.node.listener.spool import split
from oarflow.node.listener.statuses import NotStored, Status
from oarflow.node.requesting import associate
from oarflow.node.states import State
from tests.oarflow.node.node_bench import (
    CT,
    SENDER,
    SYNTAX,
    Bench,
    ct_slice,
    encoded,
    free_port,
    uid,
    wait_for,
)
from tests.oarflow.node.test_listener import UNREADABLE

LIMIT = 1 << 20
IMPLICIT = str(ImplicitVRLittleEndian)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, listener={"port": free_port()})


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


@pytest.fixture
def paused(association: Association) -> Association:
    """The answers are for the test."""
    association._reactor_checkpoint.clear()
    wait_for(lambda: association._is_paused)
    return association


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
def test_a_store_arrives_in_whatever_pieces(bench: Bench, paused: Association, way: str) -> None:
    """Twice on one association, so that nothing is left of the first."""
    context_id = context_of(paused)
    for k in range(2):
        send(paused, *WAYS[way](context_id, pieces(k, context_id, 300)))
        assert status(paused) == 0
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
}


@pytest.mark.parametrize("case", WRONG)
def test_fragments_that_do_not_fit_end_the_association(
    bench: Bench, paused: Association, case: str
) -> None:
    send(paused, *WRONG[case](context_of(paused)))
    wait_for(paused.acse.is_aborted, 20, "the abort")
    assert bench.instances() == []
    assert bench.receiver.spool.stored() == []


def test_an_abort_in_the_middle_leaves_nothing(bench: Bench, association: Association) -> None:
    context_id = context_of(association)
    send(association, *(pdu(context_id, part) for part in pieces(0, context_id, 300)[:3]))
    association.abort()
    bench.send(ct_slice("a", 1))
    assert [one.sop_instance_uid for one in bench.instances()] == [uid("a", 1)]


def test_what_comes_behind_a_store_in_one_piece_is_not_lost(
    bench: Bench, paused: Association
) -> None:
    """The socket reads ahead, and what it read is for pynetdicom too: store, echo, store, echo."""
    context_id = context_of(paused)
    (other,) = (one for one in paused.accepted_contexts if one.abstract_syntax == Verification)
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
    send(paused, sent)
    answers = [paused.dimse.get_msg(block=True)[1] for _ in range(4)]
    assert Counter(map(type, answers)) == {C_STORE: 2, C_ECHO: 2}
    assert len(bench.instances()) == 2


REQUEST = Request(5, 77, SYNTAX, CT, "1.2.3")


@pytest.mark.parametrize("maximum", [0, 20, 64, 16384])
@pytest.mark.parametrize(
    "refusal", [None, NotStored(Status.OUT_OF_RESOURCES, "the disk has no room")]
)
def test_the_answer_is_what_pydicom_reads(refusal: NotStored | None, maximum: int) -> None:
    """Group length and all; no PDU is longer than the peer allows."""
    command = b""
    pdus = list(answer(REQUEST, refusal, maximum))
    for number, one in enumerate(pdus, 1):
        kind, length, inner, context_id, control = struct.unpack_from(">BxLLBB", one)
        assert (kind, length, inner, context_id) == (4, len(one) - 6, len(one) - 10, 5)
        assert control == (3 if number == len(pdus) else 1)
        assert not maximum or length <= maximum
        command += one[12:]
    read = decode(BytesIO(command), True, True)
    assert read.CommandGroupLength == len(command) - 12
    assert (read.CommandField, read.MessageIDBeingRespondedTo) == (0x8001, 77)
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (CT, "1.2.3")
    assert (read.CommandDataSetType, read.Status) == (0x0101, refusal.status if refusal else 0)
    assert read.get("ErrorComment") == (refusal.comment if refusal else None)


def nested(depth: int) -> Dataset:
    """A data set with sequences, of defined and of undefined length, one in another."""
    made = Dataset()
    made.CodeValue = f"C{depth}"
    if depth:
        made.ReferencedStudySequence = Sequence([nested(depth - 1), Dataset()])
        made.ReferencedStudySequence.is_undefined_length = bool(depth % 2)
        made.ProcedureCodeSequence = Sequence([nested(0)])
        made.ProcedureCodeSequence[0].is_undefined_length_sequence_item = True
    return made


@pytest.mark.parametrize("syntax", [SYNTAX, IMPLICIT])
def test_skimming_finds_what_pydicom_finds(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences and private elements on the way are passed over, none of them taken for ours."""
    made = ct_slice("a", 0, ImagesInAcquisition="17")
    inner = nested(3)
    inner.Modality, inner.StudyInstanceUID = "MR", "1.2.9"
    made.ReferencedImageSequence = Sequence([inner])
    made.ReferencedImageSequence.is_undefined_length = True
    made.private_block(0x0019, "VENDOR", create=True).add_new(1, "UN", b"\xfe\xff\x0d\xe0" * 3)
    raw = encoded(made, syntax)
    quick = inspect(raw, syntax, LIMIT)
    assert (quick.header.modality, quick.header.images_in_acquisition) == ("CT", 17)
    assert quick.texts().study["patient_id"] == "ID-a"

    def never(*_: object) -> None:
        raise NotPlain

    skim(raw, syntax == IMPLICIT, frozenset(), dataset_module._PIXELS)
    monkeypatch.setattr(dataset_module, "skim", never)
    assert inspect(raw, syntax, LIMIT) == quick


def test_skimming_agrees_on_every_sample(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NEMA's WG-04 pictures, in every transfer syntax."""
    files = [one for one in sorted((shared_data / "wg04").glob("*.dcm")) if one.name != UNREADABLE]
    read = [split(file)[1:] for file in files]
    quick = [outcome(data, syntax) for syntax, data in read]

    def never(*_: object) -> None:
        raise NotPlain

    monkeypatch.setattr(dataset_module, "skim", never)
    assert [outcome(data, syntax) for syntax, data in read] == quick
    assert sum(isinstance(one, Contents) for one in quick) >= 15


def outcome(data: bytes, syntax: str) -> Contents | Status:
    try:
        return inspect(data, syntax, LIMIT << 6)
    except NotStored as refusal:
        return refusal.status


WHOLE = encoded(ct_slice("a", 0, ReferencedImageSequence=Sequence([nested(2)])))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_data_set_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(NotStored):
        inspect(WHOLE[:length], str(ExplicitVRLittleEndian), LIMIT)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_end_in_a_status(position: int, damage: bytes) -> None:
    raw = WHOLE[:position] + damage + WHOLE[position + len(damage) :]
    assert isinstance(outcome(raw, str(ExplicitVRLittleEndian)), Contents | Status)


def test_another_encoding_leaves_one_file_and_no_conflict(bench: Bench) -> None:
    bench.send(ct_slice("a", 0))
    (before,) = bench.receiver.spool.stored()
    data = encoded(ct_slice("a", 0), IMPLICIT)
    for _ in range(2):
        assert bench.receiver.receive(SENDER, data, IMPLICIT, CT, uid("a", 0)) is Standing.IDENTICAL
    assert bench.receiver.spool.stored() == [before]
    assert len(bench.instances()) == 1
    assert dcmread(before).PatientID == "ID-a"


def test_another_encoding_that_a_crash_left_behind_is_no_conflict(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.send(ct_slice("a", 0))
    (before,) = bench.receiver.spool.stored()

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    data = encoded(ct_slice("a", 0), IMPLICIT)
    with monkeypatch.context() as patch:
        patch.setattr(bench.receiver, "_journal", power_cut)
        with pytest.raises(KeyboardInterrupt):
            bench.receiver.receive(SENDER, data, IMPLICIT, CT, uid("a", 0))
    assert len(bench.receiver.spool.stored()) == 2
    assert bench.receiver.recover() == 1
    assert bench.receiver.spool.stored() == [before]
    assert not any(one.conflict for one in bench.instances())


def test_a_commit_that_fails_in_the_middle_of_a_series_is_not_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bool:
        raise OperationalError("insert", {}, Exception("disk I/O error"))

    bench.send(ct_slice("a", 0))
    with monkeypatch.context() as patch:
        patch.setattr(receiving, "one_more", fails)
        with pytest.raises(NotStored) as refusal:
            bench.send(ct_slice("a", 1))
    assert refusal.value.status is Status.OUT_OF_RESOURCES
    assert len(bench.instances()) == 1
    assert bench.send(ct_slice("a", 1)) is Standing.NEW
    assert bench.send(ct_slice("a", 1)) is Standing.IDENTICAL
    assert bench.send(ct_slice("a", 1, value=7)) is Standing.CONFLICT


def lease(name: str) -> Callable[[Transaction], str]:
    """Work that writes a row of this name, and fails where there is one."""

    def work(transaction: Transaction) -> str:
        row = {"resource": name, "owner": "test", "token": name, "beats": 0}
        transaction.execute(insert(Lease), row | {"taken_at": now(), "beaten_at": now()})
        return name

    return work


def test_what_waits_together_is_one_commit_and_a_fault_is_its_owner_s(bench: Bench) -> None:
    """While the first holds everybody up, four more wait; one of them fails, the others do not."""
    together = Together(bench.database)
    with bench.database.begin_quickly() as quick:
        assert isinstance(quick, QuickConnection)
    done: list[str] = []
    quick._open().set_trace_callback(done.append)
    entered, go_on = threading.Event(), threading.Event()

    def slow(transaction: Transaction) -> str:
        entered.set()
        assert go_on.wait(30)
        return lease("slow")(transaction)

    results: dict[str, object] = {}

    def ask(name: str, work: Callable[[Transaction], str]) -> None:
        try:
            results[name] = together.write(name, work)
        except IntegrityError as error:
            results[name] = type(error)

    def start(name: str, work: Callable[[Transaction], str]) -> threading.Thread:
        thread = threading.Thread(target=ask, args=(name, work))
        thread.start()
        return thread

    threads = [start("slow", slow)]
    assert entered.wait(30)
    threads += [start(name, lease(name)) for name in "abc"]
    wait_for(lambda: len(together._waiting) == 3)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert results == {"slow": "slow", "a": "a", "b": "b", "c": "c"}
    assert done.count("COMMIT") == 2

    entered.clear()
    go_on.clear()

    def slow_again(transaction: Transaction) -> str:
        entered.set()
        assert go_on.wait(30)
        return lease("slow again")(transaction)

    threads = [start("slow again", slow_again)]
    assert entered.wait(30)
    threads += [start(name, lease(name)) for name in ("d", "e")]
    threads += [start("a", lease("a"))]
    wait_for(lambda: len(together._waiting) == 3)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert results["a"] is IntegrityError
    assert (results["d"], results["e"], results["slow again"]) == ("d", "e", "slow again")


def test_a_quick_transaction_is_whole_or_not_at_all_and_fails_as_others_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path, database={"busy_seconds": 0.2})

    def rows() -> list[str]:
        with bench.database.read() as session:
            return sorted(one.resource for one in session.query(Lease))

    def write(*names: str) -> None:
        with bench.database.begin_quickly() as quick:
            for name in names:
                lease(name)(quick)

    with pytest.raises(IntegrityError):
        write("a", "b", "a")
    assert rows() == []
    with bench.database.write(), pytest.raises(OperationalError):
        write("a")
    write("a", "b")
    assert rows() == ["a", "b"]


def test_a_database_locked_in_the_middle_of_a_series_is_out_of_resources(tmp_path: Path) -> None:
    bench = Bench(tmp_path, database={"busy_seconds": 0.2})
    bench.send(ct_slice("a", 0))
    with bench.database.write(), pytest.raises(NotStored) as refusal:
        bench.send(ct_slice("a", 1))
    assert refusal.value.status is Status.OUT_OF_RESOURCES
    assert bench.send(ct_slice("a", 1)) is Standing.NEW
    assert len(bench.instances()) == 2


def test_only_what_files_hold_too_is_committed_without_a_sync(bench: Bench) -> None:
    """SQLite's numbers: 1 is NORMAL, 2 is FULL."""
    asked = text("PRAGMA synchronous")
    with bench.database.begin_quickly() as quick:
        assert quick.execute(asked, {}).fetchall() == [(1,)]
    with bench.database.write() as session:
        assert session.scalar(asked) == 2


def test_rows_that_a_loss_of_power_takes_back_are_written_anew(bench: Bench) -> None:
    """The database as it was some instances ago, beside the files, which are synced."""

    def rows(database: Database) -> dict[str, dict[str, object]]:
        """What they say, but not when and in which order they were written."""
        with database.read() as session:
            return {
                one.sop_instance_uid: {
                    name: value for name, value in vars(one).items() if name in kept
                }
                for one in session.query(Instance)
            }

    kept = set(Instance.__table__.columns.keys()) - {"id", "received_at"}
    bench.send_series("a", range(2))
    files = [one for one in bench.settings.storage.root.glob("node.db*") if one.suffix != ".db-shm"]
    assert len(files) == 2
    before = {file: file.read_bytes() for file in files}
    bench.send_series("a", range(2, 5))
    whole = rows(bench.database)
    assert len(whole) == 5
    bench.database.close()
    for file, content in before.items():
        file.write_bytes(content)

    restarted = Database(bench.settings.database_url)
    assert len(rows(restarted)) == 2
    receiver = Receiver(bench.settings, restarted)
    assert receiver.recover() == 3
    assert rows(restarted) == whole
    assert receiver.recover() == 0
    restarted.close()


def one_journal_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a series only the first instance takes the long way, and an unusual one."""
    calls = []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return journal(*arguments)

    journal = receiving.journal
    monkeypatch.setattr(receiving, "journal", counted)
    bench.send_series("a", range(5))
    assert len(calls) == 1
    assert bench.send(ct_slice("a", 1, value=7)) is Standing.CONFLICT
    assert len(calls) == 2
    assert [one.conflict for one in bench.instances()] == 5 * [False] + [True]
    assert bench.way() == [State.RECEIVED]


def test_the_usual_instance_is_written_the_short_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_journal_call(bench, monkeypatch)


@pytest.mark.node
def test_the_usual_instance_is_written_the_short_way_on_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: Any
) -> None:
    url, _ = postgresql
    Database(url).migrate()
    one_journal_call(Bench(tmp_path, database={"url": url}), monkeypatch)


@pytest.mark.parametrize(
    ("state", "pending", "taken", "events"),
    [
        ("Sta1", [], True, []),
        ("Sta2", [], True, ["Evt18"]),
        ("Sta13", [], True, ["Evt18"]),
        ("Sta13", ["Evt17"], False, ["Evt17"]),
        ("Sta6", [], True, ["Evt15"]),
    ],
    ids=["closed", "not yet asked", "about to close", "closing", "an association"],
)
def test_an_abort_asks_for_nothing_that_its_state_does_not_know(
    state: str, pending: list[str], taken: bool, events: list[str]
) -> None:
    provider = DirectProvider.__new__(DirectProvider)
    provider.state_machine = SimpleNamespace(current_state=state)
    provider.to_provider_queue, provider.event_queue = Queue(), Queue()
    provider.to_provider_queue.put(A_ABORT())
    for event in pending:
        provider.event_queue.put(event)
    assert provider._process_recv_primitive() is taken
    assert list(provider.event_queue.queue) == events
