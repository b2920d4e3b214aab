"""The receivers that are compared: how each starts, when it is ready, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

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


@dataclass(frozen=True)
class ReceiverUnderTest:
    """What receives. promise: what its success says. command: of (folder, port). keeps: files."""

    name: str
    promise: str
    command: Callable[[Path, int], list[str]]
    keeps: bool = True


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
    return [program("Orthanc"), str(_written(folder / "orthanc.json", settings))]


def orthanc_synced(folder: Path, port: int) -> list[str]:
    """Orthanc told to sync each file."""
    return orthanc(folder, port, SyncStorageArea=True)


def orthanc_unsynced(folder: Path, port: int) -> list[str]:
    """Orthanc told to leave that to the system."""
    return orthanc(folder, port, SyncStorageArea=False)


def storescp(folder: Path, port: int) -> list[str]:
    """dcmtk's receiver: it writes files and keeps no index."""
    return [program("storescp"), "--fork", "-aet", "OARFLOW", "-od", str(folder), str(port)]


def nothing(_: Path, port: int) -> list[str]:
    """pynetdicom's own receiver, told to keep nothing."""
    flags = ["--ignore", "--quiet", "-pdu", "131072", "-aet", "OARFLOW"]
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), *flags]


NODE = ReceiverUnderTest("OARflow's node", "file and folder synced; row committed and synced", node)
ORTHANC = ReceiverUnderTest(
    "Orthanc",
    "file synced (`SyncStorageArea`); index with Orthanc's default settings",
    orthanc_synced,
)
RECEIVERS = (
    NODE,
    ORTHANC,
    ReceiverUnderTest("Orthanc, unsynced", "file written, not synced", orthanc_unsynced),
    ReceiverUnderTest("storescp", "file written, not synced; no index", storescp),
)
FLOOR = ReceiverUnderTest(
    "pynetdicom, without storing", "received, not stored", nothing, keeps=False
)


@contextmanager
def running(command: list[str], port: int, name: str) -> Iterator[None]:
    """A receiver that answers C-ECHO; ended with its children afterwards."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=null, stderr=null)
    echo = [program("echoscu"), "-aec", "OARFLOW", "127.0.0.1", str(port)]
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


def _written(path: Path, settings: dict[str, object]) -> Path:
    """JSON, which is YAML too."""
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ConfigurationError("PROGRAM", f"{name} ({PROGRAMS[name]}) is not installed")
    return found


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
