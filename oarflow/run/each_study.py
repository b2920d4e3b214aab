"""`--each-study`: reads the headers here, and contours each study in a warm process."""

from __future__ import annotations

import pickle
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from oarflow.errors import ExitStatus, Refusal
from oarflow.intake import StudyFiles, studies
from oarflow.intake.archive import unpacked
from oarflow.result import FILE_NAME, FaultPart, ResultDocument, Run, read_document
from oarflow.run.delivery import Delivery, Parcel, require_room
from oarflow.run.paths import Paths
from oarflow.run.settings import Settings
from oarflow.run.signals import StopOnSignal
from oarflow.run.start import Display, run_moment
from oarflow.run.summary import worst_status
from oarflow.warm.order import Order
from oarflow.warm.process import WarmProcess, WarmProgram

POLL_SECONDS = 0.05


def contour_each(
    paths: Paths,
    settings: Settings,
    stop: StopOnSignal,
    display: Display,
    *,
    program: WarmProgram,
    options: Sequence[str],
) -> ExitStatus:
    """Contour every study of the input, each into its own folder in OUT.

    program: takes orders for one study. options: which every order repeats. A study whose process
    ends without a result gets a `result.json` with a fault. The time limit holds for each study.
    Raises ConfigurationError and then leaves OUT unchanged, except for delivered studies.
    """
    when = run_moment()
    delivery = Delivery.open(paths.output, *paths.inputs)
    process = WarmProcess(program)

    def abandon() -> bool:
        unfinished = delivery.abandon()
        process.kill(signal.SIGKILL)
        return unfinished

    stop.cleanup = abandon
    try:
        run = _Run(paths, settings, when, delivery, process, tuple(options))
        documents = run.contour()
    except _WrongUsage:
        return ExitStatus.USAGE
    finally:
        process.close()
        delivery.abandon()
    display.show(documents, paths.output)
    return worst_status(documents.values())


class _WrongUsage(Exception):
    """The process refused its settings or networks, and said so on standard error."""


@dataclass(frozen=True)
class _Run:
    """The objects that all studies of a run share."""

    paths: Paths
    settings: Settings
    when: datetime
    delivery: Delivery
    process: WarmProcess
    options: tuple[str, ...]

    def contour(self) -> dict[Path, ResultDocument]:
        """Contour and deliver one study after the other; results by the folder of their files."""
        documents: dict[Path, ResultDocument] = {}
        inputs = list(self._inputs())
        for number, (folder, study) in enumerate(inputs, start=1):
            room = self.delivery.room(folder.name)
            document = self._contour(room, study)
            files = tuple((output.path, room / output.path) for output in document.outputs)
            parcel = Parcel(folder, files, document.as_json())
            self.delivery.commit(parcel, last=number == len(inputs))
            shutil.rmtree(room, ignore_errors=True)
            documents[folder] = document
        return documents

    def _inputs(self) -> Iterator[tuple[Path, StudyFiles | None]]:
        """Each study and its output folder. Without a study, the process refuses the input."""
        out = self.delivery.out
        try:
            found = studies(unpacked(self.paths.inputs, self.delivery.staging))
        except Refusal:
            yield out, None
            return
        except OSError as error:
            require_room(error)
            raise
        for study in found:
            yield out / study.digest, study

    def _contour(self, room: Path, study: StudyFiles | None) -> ResultDocument:
        """Contour a study into an empty folder.

        If the process ends without a result, a new process gets the study once more, unless the
        study was already the first of its process. Raises _WrongUsage.
        """
        started = time.monotonic()
        status = self._carry_out(room, study)
        done = (room / FILE_NAME).is_file()
        if not done and status not in (ExitStatus.USAGE, ExitStatus.TERMINATED):
            if not self.process.first:
                status = self._carry_out(room, study)
            done = (room / FILE_NAME).is_file()
        if done:
            return read_document((room / FILE_NAME).read_bytes())
        if status == ExitStatus.USAGE:
            raise _WrongUsage
        return self._without_result(status, time.monotonic() - started)

    def _carry_out(self, room: Path, study: StudyFiles | None) -> int:
        """Exit status of the process's work on a study; negative: the signal that ended it."""
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()
        file = ""
        if study is not None:
            path = self.delivery.staging / "study"
            path.write_bytes(pickle.dumps(study))
            file = str(path)
        inputs = map(str, self.paths.inputs)
        arguments = ("segment", *inputs, "--output", str(room), *self.options)
        self.process.begin(Order(arguments, {}, file), _ignore)
        while not self.process.over():
            time.sleep(POLL_SECONDS)
        return self.process.finish()

    def _without_result(self, status: int, seconds: float) -> ResultDocument:
        """The result of a study whose process ended without one."""
        if status == ExitStatus.TERMINATED:
            words = f"contouring took longer than run_seconds: {self.settings.run_seconds}"
        elif status < 0:
            words = f"the process that contoured was killed (signal {-status})"
        else:
            words = f"the process that contoured ended with exit status {status}"
        run = Run(
            started=self.when.isoformat(),
            seconds=round(seconds, 3),
            stages={},
            device=None,
            peak_memory_mb=0.0,
        )
        return ResultDocument(
            run=run,
            exit_status=int(ExitStatus.FAULT),
            fault=FaultPart(kind="FAULT", message=words),
            settings=self.settings.model_dump(mode="json"),
        )


def _ignore(_: bytes) -> None:
    """What the process prints on standard output is not shown."""
