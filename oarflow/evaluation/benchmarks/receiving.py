"""Receiving the sample: the node beside Orthanc and dcmtk's storescp, on loopback.

`oarflow evaluate benchmark-receiving` starts each as processes, lets dcmtk's storescu send the
series to each in turn, several times, then eight of them at once, and writes
docs/results/benchmark-receiving.md. Each receiver starts with an empty folder every time: an
instance that comes again is less work. Two more rows say what there is to gain: a receiver that
does nothing with pynetdicom, and the node's three syncs without a network.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from oarflow.errors import Fault
from oarflow.evaluation.benchmarks.receivers import (
    ENVIRONMENT,
    FLOOR,
    NODE,
    ORTHANC,
    PROGRAMS,
    RECEIVERS,
    ReceiverUnderTest,
    free_port,
    program,
    running,
)
from oarflow.tables import markdown_table

SENDERS = 8


@dataclass(frozen=True)
class Transfer:
    """Series sent at once: seconds from storescu's start to the last one's end, and instances."""

    receiver: str
    senders: int
    seconds: float
    instances: int


SYNCS = "the node's three syncs, without receiving"


def syncs(series: Path, parent: Path) -> Transfer:
    """What the disk alone takes: each file safe under its name, then a row committed."""
    contents = [path.read_bytes() for path in sorted(series.iterdir())]
    folder = Path(tempfile.mkdtemp(prefix="receiving-", dir=parent))
    rows = sqlite3.connect(folder / "rows.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        rows.execute(f"PRAGMA {pragma}")
    rows.execute("CREATE TABLE files (name TEXT PRIMARY KEY)")
    began = time.perf_counter()
    for number, content in enumerate(contents):
        _synced(folder / f"{number}.dcm", content)
        rows.execute("INSERT INTO files VALUES (?)", (str(number),))
    seconds = time.perf_counter() - began
    rows.close()
    return Transfer(SYNCS, 1, seconds, len(contents))


def _synced(target: Path, content: bytes) -> None:
    """A file as the node makes it safe: temporary name, sync, name, sync of the folder."""
    temporary = target.with_suffix(".part")
    with temporary.open("xb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())
    temporary.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copies(series: Path, folder: Path) -> list[Path]:
    """The series once for each sender, as studies of their own."""
    made = []
    for number in range(SENDERS):
        made.append(folder / f"copy{number}")
        made[-1].mkdir()
        for path in sorted(series.iterdir()):
            slice_ = dcmread(path)
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                setattr(
                    slice_, keyword, generate_uid(entropy_srcs=[slice_[keyword].value, str(number)])
                )
            slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
            slice_.save_as(made[-1] / path.name)
    return made


def transfer(receiver: ReceiverUnderTest, studies: Sequence[Path], parent: Path) -> Transfer:
    """Start the receiver in an empty folder, send all at once, and count what it kept.

    parent: of the folder, which stays. Raises Fault where the receiver does not start or
    does not keep everything.
    """
    sent = sum(len(list(study.iterdir())) for study in studies)
    folder, port = Path(tempfile.mkdtemp(prefix="receiving-", dir=parent)), free_port()
    command = receiver.command(folder, port)
    with running(command, port, receiver.name):
        place = ["-aec", "OARFLOW", "127.0.0.1", str(port)]
        began = time.perf_counter()
        senders = [
            subprocess.Popen(
                [program("storescu"), "-aet", f"SENDER{number}", *place, "+sd", str(study)],
                env=ENVIRONMENT,
            )
            for number, study in enumerate(studies)
        ]
        statuses = [sender.wait() for sender in senders]
        seconds = time.perf_counter() - began
        kept = sum(_is_image(path) for path in folder.rglob("*"))
    if any(statuses) or (receiver.keeps and kept != sent):
        raise Fault(f"{receiver.name} kept {kept} of {sent} instances")
    return Transfer(receiver.name, len(studies), seconds, sent)


def _is_image(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def benchmark(series: Path, runs: int, parent: Path) -> list[Transfer]:
    """Each receiver in turn, the whole round several times, and one round before that.

    What they received is removed when all is over: ext4 without a journal looks for inodes that
    were not in use a moment ago, and the next receiver would pay for it by processor time.
    """
    for name in PROGRAMS:
        program(name)
    rounds = []
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=parent) as name:
        studies = copies(series, Path(name))
        for _ in range(runs + 1):
            rounds.append([transfer(one, [series], Path(name)) for one in (*RECEIVERS, FLOOR)])
            rounds[-1].append(syncs(series, Path(name)))
            rounds[-1] += [transfer(one, studies, Path(name)) for one in RECEIVERS]
    return [entry for each in rounds[1:] for entry in each]


def page(transfers: Sequence[Transfer], series: Path) -> str:
    """The result as Markdown."""
    count = len(list(series.iterdir()))
    size = sum(path.stat().st_size for path in series.iterdir()) / 1e6
    today = datetime.now(UTC).date().isoformat()
    lines = [
        "# Receiving, beside Orthanc and dcmtk",
        "",
        f"Made by `oarflow evaluate benchmark-receiving` on {today}; {platform.machine()}, "
        f"{os.cpu_count()} processors, loopback; {_version('Orthanc')}; {_version('storescp')}.",
        "",
        f"First, one storescu sends the sample ({count} CT slices, {size:.0f} MB) over one "
        f"association. Then {SENDERS} storescu send {SENDERS} studies at the same time. Each "
        "measurement starts with an empty folder and an idle receiver. The files stay until the "
        "end, because deleting them would slow down the next receiver. The receivers take turns, "
        "so that other work on the machine affects all of them alike. The first round is not "
        f"counted. Load at the end: {os.getloadavg()[1]:.1f} (mean of five minutes), on "
        f"{os.cpu_count()} processors. `TCP_NODELAY=1` is set for all programs. Without it, dcmtk "
        "waits for acknowledgements, and so does Orthanc, which uses dcmtk. All receivers would "
        "then take about the same time.",
        "",
        markdown_table(
            _HEAD,
            [
                *(_row(one.name, one.promise, 1, transfers) for one in (*RECEIVERS, FLOOR)),
                _row(SYNCS, "file, folder and commit synced, one after the other", 1, transfers),
                *(_row(one.name, one.promise, SENDERS, transfers) for one in RECEIVERS),
            ],
        ),
        "",
        _ratio(1, transfers),
        "",
        _ratio(SENDERS, transfers),
        "",
        _rest(transfers),
        "",
    ]
    return "\n".join(lines)


def _seconds(name: str, senders: int, transfers: Sequence[Transfer]) -> list[float]:
    return [one.seconds for one in transfers if (one.receiver, one.senders) == (name, senders)]


_HEAD = (
    "senders",
    "receiver",
    "at success",
    "n",
    "seconds, median (least to most)",
    "instances per second, median (least to most)",
)


def _row(
    name: str, promise: str, senders: int, transfers: Sequence[Transfer]
) -> tuple[object, ...]:
    own = [one for one in transfers if (one.receiver, one.senders) == (name, senders)]
    seconds = [one.seconds for one in own]
    rates = [one.instances / one.seconds for one in own]
    return (
        senders,
        name,
        promise,
        len(own),
        f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
        f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
    )


def _ratio(senders: int, transfers: Sequence[Transfer]) -> str:
    """The node against the others, round by round, so that a busy minute counts for both."""
    own = _seconds(NODE.name, senders, transfers)
    said = []
    for other in RECEIVERS[1:]:
        theirs = _seconds(other.name, senders, transfers)
        ratios = [b / a for a, b in zip(own, theirs, strict=True)]
        said.append(
            f"{statistics.median(ratios):.2f} times that of {other.name} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )
    who = "one sender" if senders == 1 else f"{senders} senders at once"
    return f"The node's throughput with {who}, round by round: {', '.join(said)}."


def _rest(transfers: Sequence[Transfer]) -> str:
    """What the node's time goes to, by the rows that do a part of it."""
    instances = transfers[0].instances

    def milliseconds(name: str) -> float:
        return 1e3 * statistics.median(_seconds(name, 1, transfers)) / instances

    return (
        f"Of the {milliseconds(NODE.name):.1f} ms that the node takes for an instance of one "
        f"sender, its three syncs take {milliseconds(SYNCS):.1f} ms: the node syncs the file, its "
        "folder and the row, one after the other, before it reports success. Orthanc syncs the "
        f"file only. pynetdicom takes {milliseconds(FLOOR.name):.1f} ms to receive an instance "
        f"without storing it. Orthanc takes {milliseconds(ORTHANC.name):.1f} ms to receive and "
        "store it. On a busy machine each sync also waits for a processor."
    )


def _version(name: str) -> str:
    done = subprocess.run([program(name), "--version"], check=False, capture_output=True)
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip("$ ")
