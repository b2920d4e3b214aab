"""Contours a folder of studies with the node's receiver, database and engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.errors import Code
from oarflow.node.batch.files import (
    MODALITIES,
    FileCounts,
    RefusedFile,
    files,
    read_content,
    read_hint,
    refusal_reason,
)
from oarflow.node.database import Database, jobs
from oarflow.node.database.models import Instance, Job
from oarflow.node.database.receiving import Origin
from oarflow.node.execution.executor import Executor
from oarflow.node.series.watcher import SeriesWatcher
from oarflow.node.settings import DatabaseSettings, NodeSettings, StorageSettings
from oarflow.node.states import State
from oarflow.node.storage.dataset import inspect
from oarflow.node.storage.receiver import MEGABYTE, Receiver
from oarflow.node.storage.spool import split_bytes
from oarflow.node.storage.statuses import NotStored
from oarflow.node.templates.keeper import TemplateKeeper
from oarflow.result import FILE_NAME

STATE_FOLDER = ".oarflow-node"
"""Below the output folder: the state with which an interrupted batch continues."""

CALLER = "BATCH"

DONE = (State.SEGMENTED, State.HELD)
"""States of jobs whose results are in the output folder, so that their images may go."""

AT_REST = (
    State.SEGMENTED,
    State.HELD,
    State.REFUSED,
    State.FAILED,
    State.CANCELLED,
)


@dataclass(frozen=True)
class SeriesLine:
    """A row of the table. folder: its results, below the output folder; empty if there are none.

    marked: its refused files, in words. sources: the input folders of its files.
    """

    study: str
    series: str
    slices: int
    state: State
    reason: str
    folder: str
    progress: dict[str, object]
    marked: str = ""
    sources: tuple[Path, ...] = ()


def own_settings(settings: NodeSettings, out: Path) -> NodeSettings:
    """The settings, with the state below the output folder."""
    storage = StorageSettings(
        folder=out.absolute() / STATE_FOLDER, min_free_mb=settings.storage.min_free_mb
    )
    return settings.model_copy(update={"storage": storage, "database": DatabaseSettings()})


class BatchRun:
    """Receives files, then contours their series."""

    def __init__(self, settings: NodeSettings, database: Database, out: Path) -> None:
        self._settings = settings
        self._database = database
        self._out = out
        self._receiver = Receiver(settings, database)
        self._templates = TemplateKeeper(settings, database)
        self._watcher = SeriesWatcher(settings, database)
        self.executor = Executor(settings, database)
        self.counts = FileCounts()

    def take(self, folder: Path, seen: Callable[[], None]) -> FileCounts:
        """Receive every image below a folder. Series with a refused image are not contoured.

        Raises ConfigurationError if the templates are faulty.
        """
        self._templates.open()
        self._receiver.recover()
        self.executor.recover()
        self.counts = FileCounts()
        for number, path in enumerate(files(folder, STATE_FOLDER), 1):
            seen()
            self._take(number, path)
        self._watcher.settle_all()
        with self._database.write() as session:
            for job in jobs.in_state(session, State.QUEUED, State.REFUSED):
                self._judge(session, job)
        return self.counts

    def _take(self, number: int, path: Path) -> None:
        uid = ""
        try:
            seen = read_hint(path)
            if not seen.image:
                self.counts.other += 1
                return
            uid = seen.series_uid
            limits = self._settings.listener
            _, syntax, data = split_bytes(read_content(path, limits.max_instance_mb * MEGABYTE))
            header = inspect(data, syntax, limits.max_inflated_mb * MEGABYTE).header
            if header.modality not in MODALITIES:
                self.counts.other += 1
                return
            uid = header.series_uid
            self._receiver.receive(
                Origin(CALLER), data, syntax, header.sop_class_uid, header.sop_instance_uid
            )
        except (NotStored, OSError, ValueError) as error:
            self.counts.refused.append(
                RefusedFile(number, *refusal_reason(error), uid, path.parent)
            )
        else:
            self.counts.taken += 1
            self.counts.folders.setdefault(uid, set()).add(path.parent)

    def _judge(self, session: Session, job: Job) -> None:
        """Refuse a series with refused files; queue one whose files are all accepted now."""
        ours = job.refusal == Code.UNREADABLE_FILE and job.exit_status is None
        refused = self.counts.of_series(job.series.series_uid)
        if refused and job.state is State.QUEUED:
            jobs.refuse(session, job, Code.UNREADABLE_FILE, _of_it(refused))
        elif not refused and ours and job.state is State.REFUSED:
            jobs.retry(session, job, jobs.NODE, "all of its files are accepted now")

    def lines(self) -> list[SeriesLine]:
        """A row for each series, then one for each series without an accepted file."""
        with self._database.read() as session:
            lines = [self._line(job) for job in session.scalars(select(Job).order_by(Job.id))]
        here = {line.series for line in lines} | set(self.counts.folders)
        for uid in dict.fromkeys(one.series_uid for one in self.counts.refused):
            if uid not in here:
                refused = self.counts.of_series(uid)
                words = _of_it(refused) if uid else f"series unknown: {refused[0]}"
                sources = tuple(dict.fromkeys(one.folder for one in refused))
                line = SeriesLine(
                    "", uid, len(refused), State.REFUSED, words, "", {}, sources=sources
                )
                lines.append(line)
        return lines

    def _line(self, job: Job) -> SeriesLine:
        series = job.series
        refused = self.counts.of_series(series.series_uid)
        beside = self.counts.beside(series.series_uid)
        marked = [_of_it(refused)] if refused and job.refusal != Code.UNREADABLE_FILE else []
        if beside:
            marked.append(
                f"{len(beside)} refused files in its folder may belong to it: {beside[0]}"
            )
        return SeriesLine(
            study=series.study.study_uid,
            series=series.series_uid,
            slices=len(series.instances),
            state=job.state,
            reason=job.reason,
            folder=series.folder[:16] if job.output else "",
            progress=dict(job.progress),
            marked="; ".join(marked),
            sources=tuple(sorted(self.counts.folders.get(series.series_uid, ()))),
        )

    def remove_copies(self) -> int:
        """Delete the copies of images of contoured series. Returns how many copies are left."""
        root = self._settings.storage.root
        with self._database.read() as session:
            waiting = select(Job.series_id).where(Job.state.not_in(DONE))
            over = session.scalars(select(Instance.path).where(Instance.series_id.not_in(waiting)))
            for path in over:
                (root / path).unlink(missing_ok=True)
        return self.images_left()

    def images_left(self) -> int:
        """Number of copies of images in the batch's state folder."""
        return len(self._receiver.spool.stored())

    def hand_over(self) -> None:
        """Copy finished results to the output folder, result.json last."""
        with self._database.read() as session:
            done = [
                (self._settings.storage.root / job.output, self._out / job.series.folder[:16])
                for job in session.scalars(select(Job))
                if job.output and job.state in AT_REST
            ]
        for source, target in done:
            if source.is_dir() and not (target / FILE_NAME).is_file():
                _copy(source, target)


def _of_it(refused: list[RefusedFile]) -> str:
    return f"{len(refused)} of its image files refused; first: {refused[0]}"


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
