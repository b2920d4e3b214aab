"""A folder of studies: what is no image, what is refused, and that nothing is run without it."""

from __future__ import annotations

import errno
import resource
import struct
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import RTStructureSetStorage

from oarflow.commands import main
from oarflow.intake.files import BoundedFile
from oarflow.node.batch import batch, files
from oarflow.node.batch.batch import BatchRun, own_settings
from oarflow.node.batch.files import SHOWN, FileCounts, RefusedFile, read_hint
from oarflow.node.commands.batch import _status
from oarflow.node.database import Database
from oarflow.node.execution.executor import Executor
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.statuses import NotStored, StoreStatus
from tests.oarflow.node.node_bench import (
    HereEngine,
    as_file,
    ct_slice,
    settings_at,
    uid,
    write_series,
)


def taken(settings: NodeSettings, source: Path, out: Path) -> BatchRun:
    own = own_settings(settings, out)
    own.storage.root.mkdir(parents=True, exist_ok=True)
    database = Database(own.database_url)
    database.migrate()
    batch = BatchRun(own, database, out)
    batch.take(source, lambda: None)
    return batch


def test_what_is_no_image_is_told_apart_from_what_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "Doe^Jane"
    write_series(source, "a", range(12))
    (source / "notes.txt").write_text("no image")
    contours = ct_slice("a", 99, SOPClassUID=RTStructureSetStorage, Modality="RTSTRUCT")
    (source / "rtstruct.dcm").write_bytes(as_file(contours))
    last = source / "011.dcm"
    last.write_bytes(last.read_bytes()[:-100])
    batch = taken(settings_at(tmp_path), source, tmp_path / "out")
    counts = batch.counts
    assert (counts.taken, counts.other) == (11, 2)
    assert counts.refused == [
        RefusedFile(
            12, "C000", "the data set is cut short or has no pixels", uid("a", "series"), source
        )
    ]
    (line,) = batch.lines()
    assert line.state is State.REFUSED, "an end slice leaves no gap: it must not be contoured"
    assert "file 12 (C000)" in line.reason
    assert _status(batch.lines(), counts) == 1
    said = "\n".join([*counts.words(), line.reason, line.marked])
    assert "Doe" not in said
    assert "12 (C000)" in said


def test_a_series_runs_once_its_files_can_be_read(tmp_path: Path) -> None:
    source = tmp_path / "ct"
    write_series(source, "a", range(12))
    whole = (source / "011.dcm").read_bytes()
    (source / "011.dcm").write_bytes(whole[:-100])
    settings = settings_at(tmp_path)
    assert taken(settings, source, tmp_path / "out").lines()[0].state is State.REFUSED
    (source / "011.dcm").write_bytes(whole)
    (line,) = taken(settings, source, tmp_path / "out").lines()
    assert (line.state, line.slices) == (State.QUEUED, 12)
    (source / "011.dcm").write_bytes(whole[:-100])
    assert taken(settings, source, tmp_path / "out").lines()[0].state is State.REFUSED
    (source / "011.dcm").unlink()
    assert taken(settings, source, tmp_path / "out").lines()[0].state is State.QUEUED


def test_a_file_of_no_known_series_marks_its_folder(tmp_path: Path) -> None:
    source = tmp_path / "studies"
    write_series(source / "one", "a", range(12))
    write_series(source / "two", "b", range(12))
    (source / "one" / "x.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 3)
    batch = taken(settings_at(tmp_path), source, tmp_path / "out")
    one, two, unknown = batch.lines()
    assert "1 refused files in its folder may belong to it: file 13 (C000)" in one.marked
    assert not two.marked
    assert (unknown.state, unknown.series) == (State.REFUSED, "")
    assert _status(batch.lines(), batch.counts) == 1


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "ct"
    write_series(source, "a", range(12))
    opened = files.opened

    def forbidden(path: Path) -> AbstractContextManager[BoundedFile]:
        if path.name == "011.dcm":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path)

    monkeypatch.setattr(files, "opened", forbidden)
    batch = taken(settings_at(tmp_path), source, tmp_path / "out")
    assert [one.code for one in batch.counts.refused] == ["EACCES"]
    assert "may belong to it" in batch.lines()[0].marked


def test_a_full_disk_refuses_the_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "ct"
    write_series(source, "a", range(12))
    receive, count = Receiver.receive, iter(range(100))

    def full_in_the_end(self: Receiver, *rest: Any) -> Any:
        if next(count) >= 10:
            raise NotStored(StoreStatus.OUT_OF_RESOURCES, "the disk is full")
        return receive(self, *rest)

    monkeypatch.setattr(Receiver, "receive", full_in_the_end)
    batch = taken(settings_at(tmp_path), source, tmp_path / "out")
    assert [one.code for one in batch.counts.refused] == ["A700", "A700"]
    assert batch.lines()[0].state is State.REFUSED
    assert "the disk is full" in batch.lines()[0].reason


def test_the_command_ends_with_what_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(settings_at(tmp_path).as_yaml())
    monkeypatch.setattr(
        batch,
        "Executor",
        lambda settings, database: Executor(settings, database, HereEngine()),  # type: ignore[arg-type]
    )
    empty, source = tmp_path / "empty", tmp_path / "ct"
    empty.mkdir()
    (empty / "notes.txt").write_text("no image")
    assert main(["node", "-c", str(file), "batch", str(empty), "-o", str(tmp_path / "a")]) == 3
    assert "no series to contour" in capsys.readouterr().out
    damaged = write_series(source, "a", range(12))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert main(["node", "-c", str(file), "batch", str(source), "-o", str(tmp_path / "b")]) == 1
    said = capsys.readouterr()
    assert "1 image files REFUSED" in said.err
    assert "refused" in said.out


def test_the_table_names_the_input_and_copies_of_images_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(settings_at(tmp_path).as_yaml())
    source, out = tmp_path / "studies", tmp_path / "out"
    write_series(source / "ward [a]" / "ct", "a", range(12))
    damaged = write_series(source / "ward\x1b[2J", "b", range(12))[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    command = ["node", "-c", str(file), "batch", str(source), "-o", str(out)]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert "ward [a]/ct" in said
    assert "ward\\u001b[2J" in said
    spool = out / batch.STATE_FOLDER / "incoming"
    assert f"11 copies of images stay in {spool.parent}: their series were not" in said
    assert len(list(spool.rglob("*.dcm"))) == 11
    assert said.splitlines()[-1] == f"results: {out}"
    damaged.write_bytes(whole)
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "copies of" not in said
    assert not list(spool.rglob("*.dcm"))
    assert main(command) == 0, "what is done stays done"
    assert not list(spool.rglob("*.dcm"))


def test_many_refused_files_are_not_all_named() -> None:
    many = [RefusedFile(n, "A700", "the disk is full", "", Path()) for n in range(SHOWN + 5)]
    assert FileCounts(refused=many).words()[-1] == "  and 5 more"


@pytest.mark.parametrize(
    ("start", "image"),
    [(b"no image", False), (b"", False), (b"\0" * 128 + b"DICM", True)],
)
def test_a_text_is_no_image(tmp_path: Path, start: bytes, image: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(start)
    assert read_hint(file).image == image


GIGABYTE = 2**30


def sparse(path: Path, start: bytes, size: int) -> None:
    """A file that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)


def headed(*elements: bytes, syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    """The start of a DICOM file."""
    meta = b"\x02\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax
    group = b"\x02\0\0\0UL\x04\0" + struct.pack("<L", len(meta))
    return b"\0" * 128 + b"DICM" + group + meta + b"".join(elements)


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


CT = element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0") + element(8, 0x60, b"CS", b"CT")
VIDEO = element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.77.1.1.1\0\0")
PIXELS = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)

LARGE = {
    "sparse": (b"", 20 * GIGABYTE, "other"),
    "film": (b"\0\0\0\x20ftypisom", 3 * GIGABYTE, "other"),
    "like a data set": (b"\x08\0\x05\0", 20 * GIGABYTE, "other"),
    "DICOM video": (headed(VIDEO, PIXELS), 3 * GIGABYTE, "other"),
    "CT with large pixels": (headed(CT, PIXELS), 20 * GIGABYTE, "refused"),
    "only a mark": (headed(), 20 * GIGABYTE, "refused"),
    "open sequence": (
        headed(CT, struct.pack("<HH2sHL", 8, 0x1111, b"UN", 0, 0xFFFFFFFF)),
        20 * GIGABYTE,
        "refused",
    ),
    "forged length": (
        headed(CT, struct.pack("<HH2sHL", 8, 0x1140, b"UN", 0, 0xFFFFFFF0)),
        20 * GIGABYTE,
        "refused",
    ),
    "forged series": (
        headed(CT, struct.pack("<HH2sHL", 0x20, 0x0E, b"UN", 0, 0xFFFFFFF0)),
        20 * GIGABYTE,
        "refused",
    ),
    "deflated": (headed(syntax=b"1.2.840.10008.1.2.1.99"), 20 * GIGABYTE, "refused"),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_large_file_is_judged_by_its_header(tmp_path: Path, case: str) -> None:
    source = tmp_path / "studies"
    write_series(source, "a", range(12))
    start, size, kind = LARGE[case]
    sparse(source / "large.dcm", start, size)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = taken(settings_at(tmp_path), source, tmp_path / "out").counts
    assert counts.taken == 12
    assert (counts.other, len(counts.refused)) == ((1, 0) if kind == "other" else (0, 1))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most) / 1024
    assert grown < 700, f"{grown:.0f} MB"
