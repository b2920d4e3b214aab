"""Receiving the sample: the node beside Orthanc and dcmtk's storescp, on loopback.

`oarflow evaluate benchmark-receiving` starts each as processes, lets dcmtk's storescu send the
series to each in turn, several times, then eight of them at once, and writes
docs/results/benchmark-receiving.md. Each receiver starts with an empty folder every time: an
instance that comes again is less work. Two more rows say what there is to gain: a receiver that
does nothing with pynetdicom, and the node's three syncs without a network.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydicom import dcmread
from pydicom.uid import generate_uid

from oarflow.errors import ConfigurationError, Fault

START_SECONDS = 120.0
REST_SECONDS, REST_SHARE = 2, 0.15
"""A receiver is at rest when it used less than this share of a processor for so long."""

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TCP_NODELAY": "1"}
"""Debian's dcmtk, and what is built on it, otherwise waits for acknowledgements (by Nagle):
some 40 ms a message on either side, which would be all that one measures."""
PROGRAMS = {
    "storescu": "Debian: dcmtk",
    "echoscu": "Debian: dcmtk",
    "storescp": "Debian: dcmtk",
    "Orthanc": "Debian: orthanc",
}


SENDERS = 8


@dataclass(frozen=True)
class ReceivingProgram:
    """What receives. promise: what its success says. command: of (folder, port). keeps: files."""

    name: str
    promise: str
    command: Callable[[Path, int], list[str]]
    keeps: bool = True


@dataclass(frozen=True)
class Transfer:
    """Series sent at once: seconds from storescu's start to the last one's end, and instances."""

    receiver: str
    senders: int
    seconds: float
    instances: int


def node(folder: Path, port: int) -> list[str]:
    """The node as it is, every part of it; contouring begins after the measurement."""
    settings = {
        "listener": {"port": port},
        "series": {"quiet_seconds": 600, "gap_seconds": 600},
        "storage": {"folder": str(folder), "min_free_mb": 100},
        "execution": {"models": str(folder)},
        "web": {"port": free_port()},
    }
    return [
        sys.executable,
        "-m",
        "oarflow",
        "node",
        "run",
        "-c",
        str(_written(folder / "node.yaml", settings)),
    ]


def orthanc(folder: Path, port: int, **others: object) -> list[str]:
    """Orthanc with SQLite, as it is by default, without plug-ins."""
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "OARFLOW",
        "DicomPort": port,
        "DicomAlwaysAllowStore": True,
        "HttpServerEnabled": False,
        "RemoteAccessAllowed": False,
        **others,
    }
    return [_program("Orthanc"), str(_written(folder / "orthanc.json", settings))]


def orthanc_synced(folder: Path, port: int) -> list[str]:
    """Orthanc told to sync each file."""
    return orthanc(folder, port, SyncStorageArea=True)


def orthanc_unsynced(folder: Path, port: int) -> list[str]:
    """Orthanc told to leave that to the system."""
    return orthanc(folder, port, SyncStorageArea=False)


def storescp(folder: Path, port: int) -> list[str]:
    """dcmtk's receiver: it writes files and keeps no index."""
    return [_program("storescp"), "--fork", "-aet", "OARFLOW", "-od", str(folder), str(port)]


def nothing(_: Path, port: int) -> list[str]:
    """pynetdicom's own receiver, told to keep nothing."""
    flags = ["--ignore", "--quiet", "-pdu", "131072", "-aet", "OARFLOW"]
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), *flags]


NODE = ReceivingProgram("OARflow's node", "file and folder synced; row committed and synced", node)
ORTHANC = ReceivingProgram(
    "Orthanc", "file synced (`SyncStorageArea`), index by its default", orthanc_synced
)
RECEIVERS = (
    NODE,
    ORTHANC,
    ReceivingProgram("Orthanc, unsynced", "handed to the system", orthanc_unsynced),
    ReceivingProgram("storescp", "file handed to the system; no index", storescp),
)
FLOOR = ReceivingProgram(
    "pynetdicom, doing nothing", "received, and forgotten", nothing, keeps=False
)
SYNCS = "the node's three syncs, no network"


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


def _written(path: Path, settings: dict[str, object]) -> Path:
    """JSON, which is YAML too."""
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ConfigurationError("PROGRAM", f"{name} ({PROGRAMS[name]}) is not installed")
    return found


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def transfer(receiver: ReceivingProgram, studies: Sequence[Path], parent: Path) -> Transfer:
    """Start the receiver in an empty folder, send all at once, and count what it kept.

    parent: of the folder, which stays. Raises Fault where the receiver does not start or
    does not keep everything.
    """
    sent = sum(len(list(study.iterdir())) for study in studies)
    folder, port = Path(tempfile.mkdtemp(prefix="receiving-", dir=parent)), free_port()
    command = receiver.command(folder, port)
    with _running(command, port, receiver.name):
        place = ["-aec", "OARFLOW", "127.0.0.1", str(port)]
        began = time.perf_counter()
        senders = [
            subprocess.Popen(
                [_program("storescu"), "-aet", f"SENDER{number}", *place, "+sd", str(study)],
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


@contextmanager
def _running(command: list[str], port: int, name: str) -> Iterator[None]:
    """A receiver that answers C-ECHO; ended with its children afterwards."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=null, stderr=null)
    echo = [_program("echoscu"), "-aec", "OARFLOW", "127.0.0.1", str(port)]
    try:
        until = time.monotonic() + START_SECONDS
        while subprocess.run(echo, check=False, stdout=null, stderr=null).returncode:
            if process.poll() is not None or time.monotonic() > until:
                raise Fault(f"{name} does not start")
            time.sleep(0.2)
        _settle(process.pid, name)
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _settle(pid: int, name: str) -> None:
    """Wait until a receiver is at rest: what a start leaves to do is not receiving.

    Raises Fault where it does not come to rest.
    """
    until = time.monotonic() + START_SECONDS
    before, still = _processor_seconds(pid), 0
    while still < REST_SECONDS:
        if time.monotonic() > until:
            raise Fault(f"{name} does not come to rest")
        time.sleep(1)
        after = _processor_seconds(pid)
        still = still + 1 if after - before < REST_SHARE else 0
        before = after


def _processor_seconds(pid: int) -> float:
    """Of a process and its children, so far."""
    total = 0.0
    top = psutil.Process(pid)
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # ended meanwhile
            times = process.cpu_times()
            total += times.user + times.system
    return total


def benchmark(series: Path, runs: int, parent: Path) -> list[Transfer]:
    """Each receiver in turn, the whole round several times, and one round before that.

    What they received is removed when all is over: ext4 without a journal looks for inodes that
    were not in use a moment ago, and the next receiver would pay for it by processor time.
    """
    for name in PROGRAMS:
        _program(name)
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
        f"storescu sends the sample, {count} CT slices, {size:.0f} MB, over one association; then "
        f"{SENDERS} of them send as many studies at once. Each receiver starts with an empty "
        "folder every time, and is at rest before; what it was sent stays until the end, since "
        "deleting it burdens whoever is next. The receivers were measured in turn, "
        "interleaved in one run, after one round that is not counted: other work on the machine "
        "meets all alike. Load at the end: "
        f"{os.getloadavg()[1]:.1f} (mean of five minutes), on {os.cpu_count()} processors. "
        "`TCP_NODELAY=1` is set for all: without it dcmtk, and what is built on it, waits for "
        "acknowledgements, and all receivers look alike.",
        "",
        "| senders | receiver | success says | n | seconds, median (least to most) "
        "| instances per second, median (least to most) |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(one.name, one.promise, 1, transfers) for one in (*RECEIVERS, FLOOR)),
        _row(SYNCS, "file and folder, one after the other; a commit", 1, transfers),
        *(_row(one.name, one.promise, SENDERS, transfers) for one in RECEIVERS),
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


def _row(name: str, promise: str, senders: int, transfers: Sequence[Transfer]) -> str:
    own = [one for one in transfers if (one.receiver, one.senders) == (name, senders)]
    seconds = [one.seconds for one in own]
    rates = [one.instances / one.seconds for one in own]
    return (
        f"| {senders} | {name} | {promise} | {len(own)} "
        f"| {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
        f"| {statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}) |"
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
        f"sender, its three syncs alone take {milliseconds(SYNCS):.1f} ms: the file, its folder "
        "and the row are on disk, one after the other, before success is said, where Orthanc "
        f"syncs the file. pynetdicom alone takes {milliseconds(FLOOR.name):.1f} ms to receive an "
        f"instance and do nothing; Orthanc takes {milliseconds(ORTHANC.name):.1f} ms for "
        "everything. On a machine whose processors are busy each sync also waits for its turn."
    )


def _version(name: str) -> str:
    done = subprocess.run([_program(name), "--version"], check=False, capture_output=True)
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip("$ ")
