"""Instances on their way to disk and database: read, stored once, journalled, or refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy.exc import OperationalError

from oarflow.node.database import Database, receiving
from oarflow.node.database.models import Instance
from oarflow.node.database.receiving import Standing
from oarflow.node.storage.dataset import Contents, inspect
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.statuses import NotStored, StoreStatus
from tests.oarflow.node.node_bench import CT, SENDER, SYNTAX, Bench, ct_slice, encoded, uid

LIMIT = 1 << 20
IMPLICIT = str(ImplicitVRLittleEndian)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


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
def test_what_lies_in_sequences_is_not_taken_for_the_instance_s(syntax: str) -> None:
    """Nor is what private elements hold."""
    made = ct_slice("a", 0, ImagesInAcquisition="17")
    inner = nested(3)
    inner.Modality, inner.StudyInstanceUID = "MR", "1.2.9"
    made.ReferencedImageSequence = Sequence([inner])
    made.ReferencedImageSequence.is_undefined_length = True
    made.private_block(0x0019, "VENDOR", create=True).add_new(1, "UN", b"\xfe\xff\x0d\xe0" * 3)
    read = inspect(encoded(made, syntax), syntax, LIMIT)
    assert (read.header.modality, read.header.images_in_acquisition) == ("CT", 17)
    assert read.header.study_uid == uid("a")
    assert read.texts().study["patient_id"] == "ID-a"


def outcome(data: bytes, syntax: str) -> Contents | StoreStatus:
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
    assert isinstance(outcome(raw, str(ExplicitVRLittleEndian)), Contents | StoreStatus)


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
        patch.setattr(receiving, "journal", fails)
        with pytest.raises(NotStored) as refusal:
            bench.send(ct_slice("a", 1))
    assert refusal.value.status is StoreStatus.OUT_OF_RESOURCES
    assert len(bench.instances()) == 1
    assert bench.send(ct_slice("a", 1)) is Standing.NEW
    assert bench.send(ct_slice("a", 1)) is Standing.IDENTICAL
    assert bench.send(ct_slice("a", 1, value=7)) is Standing.CONFLICT


def test_a_database_locked_in_the_middle_of_a_series_is_out_of_resources(tmp_path: Path) -> None:
    bench = Bench(tmp_path, database={"busy_seconds": 0.2})
    bench.send(ct_slice("a", 0))
    with bench.database.write(), pytest.raises(NotStored) as refusal:
        bench.send(ct_slice("a", 1))
    assert refusal.value.status is StoreStatus.OUT_OF_RESOURCES
    assert bench.send(ct_slice("a", 1)) is Standing.NEW
    assert len(bench.instances()) == 2


def test_everything_that_eight_send_is_there_once(bench: Bench) -> None:
    """Two of them send the same study under the same title, at the same time."""
    studies = [f"study-{n}" for n in (*range(7), 0)]

    def send(study: str) -> set[Standing]:
        return {bench.send(ct_slice(study, k)) for k in range(12)}

    with ThreadPoolExecutor(8) as senders:
        standings = list(senders.map(send, studies))
    assert set().union(*standings) <= {Standing.NEW, Standing.IDENTICAL}
    rows = bench.instances()
    root = bench.settings.storage.root
    assert len(rows) == len({row.sop_instance_uid for row in rows}) == 7 * 12
    assert {root / row.path for row in rows} == set(root.glob("incoming/*/*.dcm"))
    assert not list(root.glob("incoming/*/.part-*"))
    assert len(bench.jobs()) == 7


def test_rows_that_an_older_database_lacks_are_written_anew(bench: Bench) -> None:
    """The database as it was some instances ago, beside the files: a back-up, say."""

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
