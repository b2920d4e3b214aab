"""A folder of studies through the same receiver, database and engine, without the network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from oarflow.result import FILE_NAME
from service.database import Database
from service.database.models import Job
from service.database.receiving import Origin
from service.execution.executor import Executor
from service.listener.dataset import inspect
from service.listener.receiver import MEGABYTE, Receiver
from service.listener.spool import split
from service.listener.statuses import NotStored
from service.series import Assembler
from service.settings import DatabaseSettings, Settings, StorageSettings
from service.states import State

STATE_FOLDER = ".oarflow-node"
"""In the output folder: a batch that was interrupted goes on where it was."""

CALLER = "BATCH"

AT_REST = (
    State.SEGMENTED,
    State.HELD,
    State.REFUSED,
    State.FAILED,
    State.CANCELLED,
)


@dataclass(frozen=True)
class Line:
    """One series of the table. folder: of its results, below the output folder, empty if none."""

    study: str
    series: str
    slices: int
    state: State
    reason: str
    folder: str
    progress: dict[str, object]


def own_settings(settings: Settings, out: Path) -> Settings:
    """The settings with state of the batch's own."""
    storage = StorageSettings(
        folder=out.absolute() / STATE_FOLDER, min_free_mb=settings.storage.min_free_mb
    )
    return settings.model_copy(update={"storage": storage, "database": DatabaseSettings()})


class Batch:
    """Takes files, then runs what they make."""

    def __init__(self, settings: Settings, database: Database, out: Path) -> None:
        self._settings = settings
        self._database = database
        self._out = out
        self._receiver = Receiver(settings, database)
        self._assembler = Assembler(settings, database)
        self.executor = Executor(settings, database)

    def take(self, folder: Path, seen: Callable[[], None]) -> tuple[int, int]:
        """Receive every image below a folder. Returns counts: images taken, files left out."""
        self._receiver.recover()
        self.executor.recover()
        taken = left = 0
        for path in _files(folder):
            seen()
            if self._take(path):
                taken += 1
            else:
                left += 1
        self._assembler.settle_all()
        return taken, left

    def _take(self, path: Path) -> bool:
        try:
            _, syntax, data = split(path)
            header = inspect(
                data, syntax, self._settings.listener.max_inflated_mb * MEGABYTE
            ).header
            if header.modality not in ("CT", "MR"):
                return False
            self._receiver.receive(
                Origin(CALLER), data, syntax, header.sop_class_uid, header.sop_instance_uid
            )
        except (NotStored, OSError, ValueError):
            return False
        return True

    def lines(self) -> list[Line]:
        """How every series stands."""
        with self._database.read() as session:
            return [self._line(job) for job in session.scalars(select(Job).order_by(Job.id))]

    def _line(self, job: Job) -> Line:
        series = job.series
        return Line(
            study=series.study.study_uid,
            series=series.series_uid,
            slices=len(series.instances),
            state=job.state,
            reason=job.reason,
            folder=series.folder[:16] if job.output else "",
            progress=dict(job.progress),
        )

    def hand_over(self) -> None:
        """Put finished results under their names, result.json last."""
        with self._database.read() as session:
            done = [
                (self._settings.storage.root / job.output, self._out / job.series.folder[:16])
                for job in session.scalars(select(Job))
                if job.output and job.state in AT_REST
            ]
        for source, target in done:
            if source.is_dir() and not (target / FILE_NAME).is_file():
                _copy(source, target)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and STATE_FOLDER not in path.parts:
            yield path


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
