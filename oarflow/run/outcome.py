"""The outcome of a study: result.json, the reports and the exit status."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol

from oarflow.errors import ExitStatus, Fault, Refusal
from oarflow.pipeline import Study, Task
from oarflow.result import (
    FaultPart,
    Files,
    OutputPart,
    ResultDocument,
    Run,
    input_part,
    network_part,
    organ_parts,
    refusal_part,
    template_part,
    written_status,
)
from oarflow.run.delivery import require_room
from oarflow.run.environment import describe
from oarflow.run.memory import over_memory, peak_gpu_memory_mb, peak_memory_mb
from oarflow.run.reports import output_parts
from oarflow.run.setup import Setup
from oarflow.writing.proven import OutputFile

LOGGER = logging.getLogger(__name__)


class _Document(Protocol):
    """Makes result.json from a study and its written files."""

    def __call__(self, study: Study, *, outputs: tuple[OutputPart, ...]) -> ResultDocument: ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """result.json and the checked files. study: its final state."""

    study: Study
    document: ResultDocument
    files: tuple[OutputFile, ...] = ()

    @property
    def status(self) -> ExitStatus:
        """The exit status of the study."""
        return ExitStatus(self.document.exit_status)


def conclude(study: Study, task: Task, setup: Setup) -> Outcome:
    """The outcome of a study after the chain, also after an error.

    Raises ConfigurationError OUTPUT_NOT_WRITABLE where the disk was full or read-only.
    """
    if study.error is None and study.written is None:
        study = replace(study, error=Fault("the chain ended before its last step"))
    if study.error is None:
        try:
            return _written(study, task, setup)
        except Exception as error:
            study = replace(study, error=error)
    assert study.error is not None
    require_room(study.error)
    return _without_files(study, task, setup)


def _written(study: Study, task: Task, setup: Setup) -> Outcome:
    assert study.written is not None
    organs = organ_parts(study.segmentations, study.written.notes)
    settings = setup.settings
    status = written_status(organs, study.flags, strict=settings.strict)
    if settings.strict and over_memory(settings.memory_gb, setup.device):
        status = ExitStatus.HELD
    document = _documents(setup, status, organs=organs)
    return _with_reports(study, task, setup, document)


def _without_files(study: Study, task: Task, setup: Setup) -> Outcome:
    """The outcome of a study that was refused or failed."""
    error = study.error
    status, parts = ExitStatus.FAULT, dict[str, Any]()
    if isinstance(error, Refusal):
        status = ExitStatus.REFUSED
        parts["refusal"] = refusal_part(error)
        if error.account is not None:
            parts["files"] = Files.model_validate(error.account)
    elif isinstance(error, Fault):
        LOGGER.error("%s", error)
        parts["fault"] = FaultPart(kind="FAULT", message=str(error))
    else:
        assert error is not None
        LOGGER.error("the program failed", exc_info=error)
        parts["fault"] = FaultPart(kind=type(error).__name__, message=describe(error))
    organs = organ_parts(study.segmentations, {})
    document = _documents(setup, status, organs=organs, **parts)
    study = replace(study, written=None)
    try:
        return _with_reports(study, task, setup, document)
    except Exception:  # result.json has all that the report would show
        LOGGER.exception("the report could not be written")
        return Outcome(study, document(study, outputs=()))


def _with_reports(study: Study, task: Task, setup: Setup, document: _Document) -> Outcome:
    """The outcome with the reports that the settings request."""
    files: tuple[OutputFile, ...] = () if study.written is None else study.written.files
    if setup.reports.wanted:
        started = time.monotonic()
        structures = None if study.written is None else study.written.structures
        volume = study.intake.volume if study.intake and structures else None
        so_far = document(study, outputs=output_parts(files))
        files += setup.reports.write(task.plan.folder, so_far, volume, structures)
        seconds = time.monotonic() - started
        study = replace(study, seconds={**study.seconds, "report": seconds})
    return Outcome(study, document(study, outputs=output_parts(files)), files)


def _documents(setup: Setup, status: ExitStatus, **parts: Any) -> _Document:
    """A function that makes result.json once the files are known. parts: of the document."""

    def document(study: Study, *, outputs: tuple[OutputPart, ...]) -> ResultDocument:
        if study.intake is not None:
            memory = over_memory(setup.settings.memory_gb, setup.device)
            parts["input"] = input_part(study.intake.volume, (*study.intake.notes, *memory))
            parts.setdefault("files", Files.model_validate(study.intake.account.as_json()))
        return ResultDocument(
            run=_run(study, setup),
            exit_status=int(status),
            template=template_part(study.task.template if study.task else None),
            study_flags=study.flags,
            outputs=outputs,
            settings=setup.settings.model_dump(mode="json"),
            **parts,
        )

    return document


def _run(study: Study, setup: Setup) -> Run:
    gpu = peak_gpu_memory_mb(setup.device)
    return Run(
        started=setup.when.isoformat(),
        seconds=round(time.monotonic() - setup.started, 3),
        stages={name: round(seconds, 3) for name, seconds in study.seconds.items()},
        device=setup.device,
        peak_memory_mb=round(peak_memory_mb(), 1),
        peak_gpu_memory_mb=None if gpu is None else round(gpu, 1),
        networks=tuple(network_part(card.identity, card.role.value) for card in study.networks),
    )
