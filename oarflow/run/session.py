"""One run of the program: every study of the input, from its files to the output folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from oarflow import pipeline
from oarflow.errors import ExitStatus, Refusal
from oarflow.intake import Intake, SeriesRules, StudyFiles, read_study, read_volume, studies
from oarflow.intake.archive import unpacked
from oarflow.networks.store import ModelStore
from oarflow.pipeline import Observer, Progress, Study, Task
from oarflow.result import ResultDocument
from oarflow.run.delivery import Delivery, Parcel, require_room
from oarflow.run.layers import SettingsLayers
from oarflow.run.outcome import conclude
from oarflow.run.paths import Paths
from oarflow.run.progress import ProgressKind, Silent, make_progress
from oarflow.run.setup import OpenStore
from oarflow.run.setups import TemplateSetups
from oarflow.run.signals import StopOnSignal
from oarflow.run.summary import worst_status

Chain = Callable[[Study, Task, Observer, Callable[[Study], None]], None]
"""Runs a task's steps and passes the final study to its last argument."""


def in_process(
    study: Study, task: Task, observer: Observer, deliver: Callable[[Study], None]
) -> None:
    """Run the chain without MONAI Deploy."""
    deliver(pipeline.run(study, task, observer))


@dataclass(frozen=True)
class Session:
    """A run with its settings.

    when: the run's time. started: time.monotonic() of the process's start. context: values from
    the caller, for the rules of templates. open_store: opens the models folder. study: the one
    study to contour, if its headers are read already.
    """

    paths: Paths
    settings: SettingsLayers
    when: datetime
    progress: str
    started: float
    chain: Chain = in_process
    context: Mapping[str, str] = field(default_factory=dict)
    open_store: OpenStore = ModelStore.open
    study: StudyFiles | None = None

    def run(self, stop: StopOnSignal, each_study: bool = False) -> dict[Path, ResultDocument]:
        """Contour the input. Returns each study's result by the folder of its files.

        Raises ConfigurationError and then leaves OUT unchanged, except for delivered studies.
        """
        delivery = Delivery.open(self.paths.output, *self.paths.inputs)
        stop.cleanup = delivery.abandon
        try:
            return self._run(delivery, each_study)
        finally:
            delivery.abandon()

    def _run(self, delivery: Delivery, each_study: bool) -> dict[Path, ResultDocument]:
        setups = TemplateSetups.of(
            self.paths.models,
            self.settings,
            self.when,
            self.started,
            self.context,
            open_store=self.open_store,
        )
        observer = make_progress(ProgressKind(self.progress), sys.stderr)
        run = _Run(setups, delivery, observer, self.chain)
        documents: dict[Path, ResultDocument] = {}
        worst = ExitStatus.USAGE  # the status of an error that leaves this block
        try:
            inputs = list(self._inputs(delivery, setups.plain.settings.rules, each_study))
            for number, (folder, read) in enumerate(inputs, start=1):
                documents[folder] = run.contour(folder, read, last=number == len(inputs))
            worst = worst_status(documents.values())
        finally:
            observer.ended(worst)
        return documents

    def _inputs(
        self, delivery: Delivery, rules: SeriesRules, each_study: bool
    ) -> Iterator[tuple[Path, Callable[[Progress], Intake]]]:
        """Each study's output folder, and the function that reads it."""
        out = delivery.out
        if self.study is not None:
            yield out, partial(read_study, self.study, rules)
            return
        try:
            folders = unpacked(self.paths.inputs, delivery.staging)
            found = studies(folders) if each_study else ()
        except Refusal as refusal:
            yield out, partial(_refuse, refusal)
            return
        except OSError as error:
            require_room(error)
            raise
        if not each_study:
            yield out, partial(read_volume, folders, rules)
        for study in found:
            yield out / study.digest, partial(read_study, study, rules)


@dataclass(frozen=True)
class _Run:
    """The objects that all studies of a session share."""

    setups: TemplateSetups
    delivery: Delivery
    observer: Silent
    chain: Chain

    def contour(
        self, folder: Path, read: Callable[[Progress], Intake], *, last: bool
    ) -> ResultDocument:
        """Contour and deliver one study into a folder. last: no other study follows."""
        documents: list[ResultDocument] = []
        task = self.setups.task(read, self.delivery.room(folder.name))

        def deliver(study: Study) -> None:
            self.observer.stage_started("deliver")
            started = time.monotonic()
            outcome = conclude(study, study.task or task, self.setups.of_study(study))
            named = tuple((item.name, item.path) for item in outcome.files)
            parcel = Parcel(folder, named, outcome.document.as_json())
            self.delivery.commit(parcel, last=last)
            self.observer.stage_finished("deliver", time.monotonic() - started)
            documents.append(outcome.document)

        before = Study(seconds={"start": time.monotonic() - self.setups.plain.started})
        self.chain(before, task, self.observer, deliver)
        return documents[0]


def _refuse(refusal: Refusal, _: Progress) -> Intake:
    raise refusal
