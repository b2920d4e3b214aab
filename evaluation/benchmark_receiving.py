"""Receiving the sample: the node beside Orthanc and dcmtk's storescp, on loopback.

`python -m evaluation.benchmark_receiving` starts the three as processes, lets dcmtk's storescu
send the series to each in turn, several times, and writes docs/results/benchmark-receiving.md.
Each receiver starts with an empty folder every time: an instance that comes again is less work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
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

SERIES = Path("samples/openkbp_validation/ct")
PAGE = Path("docs/results/benchmark-receiving.md")
START_SECONDS = 120.0
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "TCP_NODELAY": "1"}
"""Debian's dcmtk, and what is built on it, otherwise waits for acknowledgements (by Nagle):
some 40 ms a message on either side, which would be all that one measures."""
PROGRAMS = {
    "storescu": "Debian: dcmtk",
    "echoscu": "Debian: dcmtk",
    "storescp": "Debian: dcmtk",
    "Orthanc": "Debian: orthanc",
}


@dataclass(frozen=True)
class Receiver:
    """What receives. promise: what its success says. command: of (folder, port)."""

    name: str
    promise: str
    command: Callable[[Path, int], list[str]]


@dataclass(frozen=True)
class Transfer:
    """One series sent: seconds of storescu, from its start to its end, and instances kept."""

    receiver: str
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
    return [sys.executable, "-m", "service", "-c", str(_written(folder / "node.yaml", settings))]


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
    return [_program("storescp"), "-aet", "OARFLOW", "-od", str(folder), str(port)]


RECEIVERS = (
    Receiver("OARflow's node", "file and journal are synced to disk", node),
    Receiver("Orthanc", "file synced (`SyncStorageArea`), index by its default", orthanc_synced),
    Receiver("Orthanc, unsynced", "handed to the system", orthanc_unsynced),
    Receiver("storescp", "file handed to the system; no index", storescp),
)


def _written(path: Path, settings: dict[str, object]) -> Path:
    """JSON, which is YAML too."""
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(f"{name} ({PROGRAMS[name]}) is not installed: install it and try again")
    return found


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def transfer(receiver: Receiver, series: Path, parent: Path) -> Transfer:
    """Start the receiver in an empty folder, send the series once, and count what it kept.

    Raises RuntimeError where it does not start or does not keep everything.
    """
    sent = len(list(series.iterdir()))
    with tempfile.TemporaryDirectory(prefix="receiving-", dir=parent) as name:
        folder, port = Path(name), free_port()
        command = receiver.command(folder, port)
        with _running(command, port, receiver.name):
            place = ["-aec", "OARFLOW", "127.0.0.1", str(port)]
            began = time.perf_counter()
            storescu = [_program("storescu"), *place, "+sd", str(series)]
            subprocess.run(storescu, check=True, env=ENVIRONMENT)
            seconds = time.perf_counter() - began
            kept = sum(_is_image(path) for path in folder.rglob("*"))
    if kept != sent:
        raise RuntimeError(f"{receiver.name} kept {kept} of {sent} instances")
    return Transfer(receiver.name, seconds, kept)


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
                raise RuntimeError(f"{name} does not start")
            time.sleep(0.2)
        # What a start leaves to do in the background is not receiving.
        time.sleep(1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def benchmark(series: Path, runs: int, parent: Path) -> list[Transfer]:
    """Each receiver in turn, the whole round several times, and one round before that."""
    for name in PROGRAMS:
        _program(name)
    rounds = [[transfer(one, series, parent) for one in RECEIVERS] for _ in range(runs + 1)]
    return [entry for each in rounds[1:] for entry in each]


def page(transfers: Sequence[Transfer], series: Path) -> str:
    """The result as Markdown."""
    size = sum(path.stat().st_size for path in series.iterdir()) / 1e6
    today = datetime.now(UTC).date().isoformat()
    lines = [
        "# Receiving, beside Orthanc and dcmtk",
        "",
        f"Made by `python -m evaluation.benchmark_receiving` on {today}; {platform.machine()}, "
        f"{os.cpu_count()} processors, loopback; {_version('Orthanc')}; {_version('storescp')}.",
        "",
        f"storescu sends the sample, {transfers[0].instances} CT slices, {size:.0f} MB, over one "
        "association; each receiver starts with an empty folder every time. The receivers were "
        "measured in turn, interleaved in one run, after one round that is not counted: other "
        f"work on the machine meets all alike. Load at the end: {os.getloadavg()[1]:.1f} "
        "(mean of five minutes). `TCP_NODELAY=1` is set for all: without it dcmtk, and what is "
        "built on it, waits for acknowledgements, and all receivers look alike.",
        "",
        "| receiver | success says | n | seconds, median (least to most) | instances per second, "
        "median (least to most) |",
        "| --- | --- | --- | --- | --- |",
        *(_row(one, transfers) for one in RECEIVERS),
        "",
        _ratio(transfers),
        "",
    ]
    return "\n".join(lines)


def _row(receiver: Receiver, transfers: Sequence[Transfer]) -> str:
    own = [one for one in transfers if one.receiver == receiver.name]
    seconds = [one.seconds for one in own]
    rates = [one.instances / one.seconds for one in own]
    return (
        f"| {receiver.name} | {receiver.promise} | {len(own)} "
        f"| {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
        f"| {statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f}) |"
    )


def _ratio(transfers: Sequence[Transfer]) -> str:
    """The node against the others, round by round, so that a busy minute counts for both."""

    def seconds(receiver: Receiver) -> list[float]:
        return [one.seconds for one in transfers if one.receiver == receiver.name]

    own = seconds(RECEIVERS[0])
    said, medians = [], []
    for other in RECEIVERS[1:]:
        ratios = [b / a for a, b in zip(own, seconds(other), strict=True)]
        medians.append(statistics.median(ratios))
        said.append(
            f"{medians[-1]:.2f} times that of {other.name} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    aim = "met" if medians[0] >= 1 else "**not met**"
    return (
        "The node's throughput, round by round: " + ", ".join(said) + ". "
        f"The aim, at least Orthanc's, is {aim}. For each instance the node syncs the file, "
        "its folder and a commit, and it is written in Python; it reads the header before it "
        "answers."
    )


def _version(name: str) -> str:
    done = subprocess.run([_program(name), "--version"], check=False, capture_output=True)
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip("$ ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and write the page."""
    parser = argparse.ArgumentParser(prog="benchmark_receiving", description=__doc__)
    parser.add_argument("--series", type=Path, default=SERIES, help=f"default: {SERIES}")
    parser.add_argument("--runs", type=int, default=7, help="rounds that count (default: 7)")
    parser.add_argument("--folder", type=Path, help="where files are received (default: temporary)")
    parser.add_argument("--output", type=Path, default=PAGE, help=f"default: {PAGE}")
    options = parser.parse_args(arguments)
    parent = options.folder or Path(tempfile.gettempdir())
    options.output.write_text(
        page(benchmark(options.series, options.runs, parent), options.series), encoding="utf-8"
    )
    sys.stdout.write(f"{options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
