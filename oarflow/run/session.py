"""One run of the program: every study of the input, from its files to the output folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from oarflow import pipeline
from oarflow.errors import ExitStatus, Refusal
from oarflow.intake import Intake, SeriesRules, read_study, read_volume, studies
from oarflow.intake.archive import unpacked
from oarflow.pipeline import Observer, Progress, Study, Task
from oarflow.result import ResultDocument
from oarflow.run.delivery import Delivery, Parcel
from oarflow.run.layers import SettingsLayers
from oarflow.run.outcome import conclude, require_room
from oarflow.run.paths import Paths
from oarflow.run.progress import ProgressKind, Silent, make_progress
from oarflow.run.setups import TemplateSetups
from oarflow.run.signals import StopOnSignal

Chain = Callable[[Study, Task, Observer, Callable[[Study], None]], None]
"""Runs a task's steps and passes the final study to its last argument."""

_SEVERITY = (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED, ExitStatus.FAULT)
"""Exit statuses of studies, the worst last."""


def in_process(
    study: Study, task: Task, observer: Observer, deliver: Callable[[Study], None]
) -> None:
    """Run the chain without MONAI Deploy."""
    deliver(pipeline.run(study, task, observer))


@dataclass(frozen=True)
class Session:
    """A run with its settings.

    when: the run's time. started: time.monotonic() of the process's start. context: values from
    the caller, for the rules of templates.
    """

    paths: Paths
    settings: SettingsLayers
    when: datetime
    progress: str
    quiet: bool
    started: float
    chain: Chain = in_process
    context: Mapping[str, str] = field(default_factory=dict)

    def run(self, stop: StopOnSignal, each_study: bool = False) -> ExitStatus:
        """Contour the input. Raises ConfigurationError and then leaves OUT unchanged."""
        delivery = Delivery.open(self.paths.output, *self.paths.inputs)
        stop.cleanup = delivery.abandon
        try:
            return self._run(delivery, each_study)
        finally:
            delivery.abandon()

    def _run(self, delivery: Delivery, each_study: bool) -> ExitStatus:
        setups = TemplateSetups.of(
            self.paths.models, self.settings, self.when, self.started, self.context
        )
        observer = make_progress(ProgressKind(self.progress), sys.stderr)
        run = _Run(setups, delivery, observer, self.chain)
        documents: dict[Path, ResultDocument] = {}
        worst = ExitStatus.USAGE  # the status of an error that leaves this block
        try:
            inputs = list(self._inputs(delivery, setups.plain.settings.rules, each_study))
            for number, (folder, read) in enumerate(inputs, start=1):
                documents[folder] = run.contour(folder, read, last=number == len(inputs))
            statuses = (ExitStatus(document.exit_status) for document in documents.values())
            worst = max(statuses, key=_SEVERITY.index)
        finally:
            observer.ended(worst)
        self._print(tuple(documents.values()))
        if not self.quiet:
            self._name_reports(documents)
        return worst

    def _inputs(
        self, delivery: Delivery, rules: SeriesRules, each_study: bool
    ) -> Iterator[tuple[Path, Callable[[Progress], Intake]]]:
        """Each study's output folder, and the function that reads it."""
        out = delivery.out
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

    def _print(self, documents: Iterable[ResultDocument]) -> None:
        from oarflow.run.table import print_result, print_trouble

        for document in documents:
            if not self.quiet:
                print_result(document, sys.stdout)
            elif ProgressKind(self.progress) in (ProgressKind.AUTO, ProgressKind.BAR):
                print_trouble(document, sys.stderr)
        if not self.quiet:
            sys.stdout.write(f"results: {self.paths.output}\n")

    def _name_reports(self, documents: Mapping[Path, ResultDocument]) -> None:
        """Print the paths of the HTML and PDF reports. documents: by the folder of their files."""
        for folder, document in documents.items():
            for output in document.outputs:
                if output.kind in ("REPORT_HTML", "REPORT_PDF"):
                    sys.stdout.write(f"report: {folder / output.path}\n")


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
