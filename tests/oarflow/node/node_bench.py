"""What the tests of the node share: small series, a node's core in this process, and waiting."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.filereader import read_file_meta_info
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from sqlalchemy import select

from oarflow.node.database import Database
from oarflow.node.database.models import Instance, Job
from oarflow.node.database.receiving import Origin, Standing
from oarflow.node.execution import application
from oarflow.node.execution.engine import EngineLost, Heartbeat
from oarflow.node.execution.order import RunOrder, RunOutcome
from oarflow.node.execution.runner import run
from oarflow.node.requesting import associate
from oarflow.node.series.watcher import SeriesWatcher
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.spool import split_bytes

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
APPLICATION = HERE / "fake_application.py"
SENDER = Origin("SCANNER", "OARFLOW", "127.0.0.1")
SYNTAX = str(ExplicitVRLittleEndian)
CT = str(CTImageStorage)


def uid(*parts: object) -> str:
    """A UID that follows from its parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15])}"


def ct_slice(study: str, k: int, value: int = 0, **changes: object) -> Dataset:
    """Slice k of a study's only CT series, 3 mm apart. value: of all its pixels."""
    slice_ = Dataset()
    slice_.SOPClassUID = CTImageStorage
    slice_.SOPInstanceUID = uid(study, k)
    slice_.StudyInstanceUID = uid(study)
    slice_.SeriesInstanceUID = uid(study, "series")
    slice_.FrameOfReferenceUID = uid(study, "frame")
    slice_.Modality = "CT"
    slice_.PatientID = f"ID-{study}"
    slice_.PatientName = f"Secret^{study}"
    slice_.PatientBirthDate = "19600101"
    slice_.PatientSex = "O"
    slice_.AccessionNumber = f"A-{study}"
    slice_.StudyDate = "20260102"
    slice_.StudyTime = "120000"
    slice_.StudyID = "1"
    slice_.SeriesNumber = 1
    slice_.InstanceNumber = k + 1
    slice_.ReferringPhysicianName = ""
    slice_.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    slice_.ImagePositionPatient = [0, 0, 3.0 * k]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.PixelSpacing = [1, 1]
    slice_.SliceThickness = 3
    slice_.Rows = slice_.Columns = 16
    slice_.SamplesPerPixel = 1
    slice_.PhotometricInterpretation = "MONOCHROME2"
    slice_.BitsAllocated = slice_.BitsStored = 16
    slice_.HighBit = 15
    slice_.PixelRepresentation = 1
    slice_.RescaleSlope, slice_.RescaleIntercept = 1, 0
    slice_.PixelData = value.to_bytes(2, "little", signed=True) * 256
    for keyword, changed in changes.items():
        setattr(slice_, keyword, changed)
    return slice_


def encoded(dataset: Dataset, syntax: str = SYNTAX) -> bytes:
    """A data set as it goes over the network."""
    return split_bytes(as_file(dataset, syntax))[2]


def as_file(dataset: Dataset, syntax: str = SYNTAX) -> bytes:
    """A data set as a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def write_series(folder: Path, study: str, slices: Sequence[int]) -> list[Path]:
    """Files of a series."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k in slices:
        files.append(folder / f"{k:03}.dcm")
        files[-1].write_bytes(as_file(ct_slice(study, k)))
    return files


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_at(folder: Path, **sections: dict[str, Any]) -> NodeSettings:
    """A node in a folder, with the fast application."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    document: dict[str, dict[str, Any]] = {
        "storage": {"folder": str(folder / "node"), "min_free_mb": 1},
        "series": {"quiet_seconds": 1, "gap_seconds": 3},
        "web": {"port": free_port()},
        "execution": {
            "command": [
                "{python}",
                str(APPLICATION),
                "-i",
                "{input}",
                "-o",
                "{output}",
                "-m",
                "{models}",
            ],
            "models": str(models),
            "environment": {"PYTHONPATH": str(ROOT)},
            "heartbeat_seconds": 0.2,
            "lease_seconds": 5,
        },
    }
    for name, section in sections.items():
        document.setdefault(name, {}).update(section)
    return NodeSettings.model_validate(document)


@lru_cache
def migrated() -> Path:
    """An empty database, made once: migrating takes longer than most tests."""
    file = Path(tempfile.mkdtemp(prefix="oarflow-")) / "node.db"
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    database = Database(f"sqlite:///{file}")
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return file


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Bench:
    """Receiver, series watcher and database of a node, without its threads."""

    def __init__(self, folder: Path, **sections: dict[str, Any]) -> None:
        self.settings = settings_at(folder, **sections)
        self.settings.storage.root.mkdir(parents=True, exist_ok=True)
        if self.settings.database.url is None:
            shutil.copyfile(migrated(), self.settings.storage.root / "node.db")
        self.database = Database(self.settings.database_url, self.settings.database.busy_seconds)
        self.receiver = Receiver(self.settings, self.database)
        self.receiver.recover()
        self.clock = Clock()
        self.watcher = SeriesWatcher(self.settings, self.database, self.clock)
        self.models = Path(self.settings.execution.models)

    def send(self, dataset: Dataset, origin: Origin = SENDER) -> Standing:
        """As if it came over the network."""
        data = encoded(dataset)
        return self.receiver.receive(
            origin, data, SYNTAX, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID)
        )

    def send_series(self, study: str, slices: Sequence[int]) -> None:
        for k in slices:
            self.send(ct_slice(study, k))

    def silence(self, seconds: float) -> None:
        """Nothing comes for so long."""
        self.watcher.tick()
        self.clock.seconds += seconds
        self.watcher.tick()

    def jobs(self) -> list[Job]:
        with self.database.read() as session:
            return list(session.scalars(select(Job).order_by(Job.id)))

    def job(self) -> Job:
        (job,) = self.jobs()
        return job

    def instances(self) -> list[Instance]:
        with self.database.read() as session:
            return list(session.scalars(select(Instance).order_by(Instance.id)))

    def way(self, job_id: int = 1) -> list[State]:
        """The states that a job went through."""
        with self.database.read() as session:
            return [step.after for step in session.get_one(Job, job_id).steps]

    def reasons(self, job_id: int = 1) -> list[str]:
        with self.database.read() as session:
            return [step.reason for step in session.get_one(Job, job_id).steps]

    def behave(self, **behaviour: object) -> None:
        """What the application does from now on."""
        (self.models / "behaviour.json").write_text(json.dumps(behaviour))

    def processes(self) -> list[int]:
        """The process ID of every run of the application, in their order."""
        return process_ids(self.models)

    def runs(self) -> list[list[str]]:
        """The input of every run of the application, in their order."""
        return [json.loads(mark.read_text()) for mark in sorted(self.models.glob("run-*"))]


def process_ids(models: Path) -> list[int]:
    """The process ID of every run of the application, in their order."""
    return [int(mark.name.rpartition("-")[2]) for mark in sorted(models.glob("run-*"))]


def is_alive(pid: int) -> bool:
    """Whether a process works; one that has ended and is not reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def make_application_warm(replace: Callable[[object, str, object], None] = setattr) -> None:
    """Let the fast application run in warm processes. replace: as `monkeypatch.setattr`."""
    replace(application, "WARM", ("{python}", str(APPLICATION), "--orders"))
    replace(application, "warm_arguments", lambda command: command[2:])


@dataclass
class HereTicket:
    """A run in a thread of this process, in place of Dask's."""

    result: RunOutcome | None = None
    lost: bool = False
    failed: bool = False
    released: bool = False

    @property
    def over(self) -> bool:
        return self.result is not None or self.failed

    def outcome(self) -> RunOutcome:
        if self.result is None:
            raise EngineLost("the worker died")
        return self.result

    def release(self) -> None:
        self.released = True


class HereEngine:
    """Runs orders in this process when asked to; the test decides what is lost."""

    def __init__(self, slots: int = 1) -> None:
        self.room = slots
        self.submitted: list[tuple[RunOrder, HereTicket]] = []
        self.pending_heartbeats: list[Heartbeat] = []
        self.away = False
        self.opened = 0
        self.given_up: list[HereTicket] = []

    def open(self) -> None:
        if self.away:
            raise EngineLost("no scheduler")
        self.opened += 1

    def close(self) -> None:
        pass

    def slots(self) -> int:
        return self.room

    def trouble(self) -> str | None:
        return None

    def give_up(self, ticket: HereTicket) -> None:
        self.given_up.append(ticket)

    def submit(self, order: RunOrder) -> HereTicket:
        ticket = HereTicket()
        self.submitted.append((order, ticket))
        return ticket

    def heartbeats(self) -> list[Heartbeat]:
        found, self.pending_heartbeats = self.pending_heartbeats, []
        return found

    def run_last(self) -> None:
        """Run what was submitted last, to its end."""
        order, ticket = self.submitted[-1]
        ticket.result = run(order, lambda progress: self.sign(order, progress))

    def sign(self, order: RunOrder, progress: dict[str, Any]) -> None:
        self.pending_heartbeats.append(Heartbeat(order.job_id, order.token, progress))


def wait_for(condition: Callable[[], Any], seconds: float = 60, what: str = "it") -> Any:
    """The condition's value once it is true. Fails after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come about in {seconds} s")


@contextmanager
def node_process(config: Path, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node as a process of its own, killed at the end if it still runs."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "run_node.py"), "run", "-c", str(config)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send_files(port: int, files: Sequence[Path], calling: str = "SCANNER") -> list[int]:
    """C-STORE over one association: the status of each, -1 where there was no answer."""
    entity = AE(ae_title=calling)
    syntaxes = {str(read_file_meta_info(file).TransferSyntaxUID) for file in files}
    for syntax in sorted(syntaxes):
        entity.add_requested_context(CTImageStorage, syntax)
    entity.dimse_timeout = entity.network_timeout = 30
    association = associate(entity, "127.0.0.1", port, ae_title="OARFLOW")
    statuses = []
    for file in files:
        if not association.is_established:
            statuses.append(-1)
            continue
        try:
            answer = association.send_c_store(file)
        except (RuntimeError, ValueError):
            statuses.append(-1)
            continue
        statuses.append(int(answer.Status) if "Status" in answer else -1)
        if statuses[-1] == -1:  # the connection is gone, which the library may take a while to see
            association.abort()
    if association.is_established:
        association.release()
    return statuses
