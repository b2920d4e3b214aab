"""The content of the pages, from the database and the results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, contains_eager

from oarflow import result
from oarflow.errors import Code
from oarflow.node.database import jobs
from oarflow.node.database.models import Job, JobDelivery, ReceivedStudy, Series, Step
from oarflow.node.states import MEANINGS, TRANSITIONS, State
from oarflow.reason_codes import REASONS
from oarflow.shown import shown

SENT_AGAIN = (State.DELIVERED, State.DEAD_LETTER)


@dataclass(frozen=True)
class LiveState:
    """The parts of a job that change on an open page, without patient data.

    share: finished organs in percent; None if the job is not running. since: time of the last
    step, also if it led to the same state.
    """

    key: str
    state: str
    since: str
    meaning: str
    reason: str
    share: int | None
    doing: str

    @property
    def css(self) -> str:
        return "refused" if self.state.startswith("refused") else self.state.replace(" ", "-")


@dataclass(frozen=True)
class StudyRow:
    """A row of the list."""

    live: LiveState
    patient: str
    patient_id: str
    accession_number: str
    study_date: str
    description: str
    sender: str
    received: datetime
    version: int


@dataclass(frozen=True)
class Listing:
    """A page of the list. total: number of all rows found."""

    rows: tuple[StudyRow, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Page:
    """The content of a study's page.

    study_flags: messages of the study's flags, or why the result cannot be shown. template: its
    name and why it was taken, empty without one. actions: allowed now.
    """

    row: StudyRow
    birth_date: str
    sex: str
    series_description: str
    instances: int
    attempts: int
    refusal: tuple[str, str, str] | None
    organs: tuple[result.OrganPart, ...]
    study_flags: tuple[str, ...]
    steps: tuple[Step, ...]
    deliveries: tuple[JobDelivery, ...]
    reports: tuple[str, ...]
    template: str
    actions: tuple[str, ...]


def live(job: Job) -> LiveState:
    """The current state of a job."""
    share, doing = None, ""
    if job.state is State.RUNNING:
        share, doing = _progress(job.progress)
    state = job.state.value
    if job.refusal and job.state is not State.REFUSED:
        # Only the reason is delivered, which must not look like contours.
        state = f"refused, reason {state}"
    return LiveState(
        job.key,
        state,
        job.state_at.isoformat(),
        MEANINGS[job.state],
        shown(job.reason),
        share,
        shown(doing),
    )


def _progress(said: dict[str, Any]) -> tuple[int, str]:
    number, total = said.get("number"), said.get("total")
    organ, stage = said.get("organ"), said.get("stage")
    if organ and isinstance(number, int) and isinstance(total, int) and total > 0:
        return min(100, 100 * (number - 1) // total), f"{organ}, {number} of {total}"
    return 0, str(stage or "starting")


def row_of(job: Job) -> StudyRow:
    """The row of a job."""
    study = job.series.study
    return StudyRow(
        live=live(job),
        patient=study.patient_name.replace("^", " ").strip(),
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_date=study.study_date,
        description=study.description,
        sender=study.calling_ae,
        received=job.created_at,
        version=job.version,
    )


def listing(
    session: Session, *, page: int, rows: int, state: State | None, term: str = ""
) -> Listing:
    """Jobs, newest first. term: part of a name, ID, accession number, date or description."""
    chosen = select(Job).join(Job.series).join(Series.study)
    if state is State.REFUSED:
        chosen = chosen.where(or_(Job.state == state, Job.refusal != ""))
    elif state is not None:
        chosen = chosen.where(Job.state == state, Job.refusal == "")
    for word in term.split()[:8]:
        columns = (
            ReceivedStudy.patient_name,
            ReceivedStudy.patient_id,
            ReceivedStudy.accession_number,
            ReceivedStudy.study_date,
            ReceivedStudy.description,
            ReceivedStudy.calling_ae,
        )
        chosen = chosen.where(or_(*(c.icontains(word, autoescape=True) for c in columns)))
    total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    pages = max(1, -(-total // rows))
    page = max(1, min(page, pages))
    found = session.scalars(
        chosen.options(contains_eager(Job.series).contains_eager(Series.study))
        .order_by(Job.id.desc())
        .offset((page - 1) * rows)
        .limit(rows)
    )
    return Listing(tuple(map(row_of, found)), total, page, pages)


def newest_id(session: Session) -> int:
    """The ID of the newest job."""
    return session.scalar(select(func.max(Job.id))) or 0


def page_of(job: Job, root: Path, *, acts: bool) -> Page:
    """The page of a job. acts: whether the user is an operator."""
    study, series = job.series.study, job.series
    found: result.ResultDocument | None = None
    warnings: tuple[str, ...] = ()
    try:
        found = read_result(job, root)
    except result.ResultError as error:
        warnings = (str(error),)
    if found is not None:
        warnings = tuple(flag.message for flag in found.study_flags)
    return Page(
        row=row_of(job),
        birth_date=study.birth_date,
        sex=study.sex,
        series_description=series.description,
        instances=len(series.instances),
        attempts=job.attempts,
        refusal=_refusal(job),
        organs=found.organs if found else (),
        study_flags=warnings,
        steps=tuple(job.steps),
        deliveries=tuple(job.deliveries),
        reports=tuple(kind for kind in REPORTS if report_file(job, root, kind) is not None),
        template=found.template.words if found and found.template else "",
        actions=actions(job) if acts else (),
    )


def actions(job: Job) -> tuple[str, ...]:
    """Allowed actions on a job, in the order of the buttons."""
    found = []
    if job.state is State.HELD:
        found.append("release")
    if job.state in SENT_AGAIN and job.deliveries:
        found.append("resend")
    if jobs.can_retry(job):
        found.append("retry")
    if State.CANCELLED in TRANSITIONS[job.state]:
        found.append("cancel")
    return tuple(found)


def _refusal(job: Job) -> tuple[str, str, str] | None:
    if not job.refusal:
        return None
    if job.refusal not in {code.value for code in Code}:
        return job.refusal, "", ""
    reason = REASONS[Code(job.refusal)]
    return job.refusal, reason.meaning, reason.remedy


def read_result(job: Job, root: Path) -> result.ResultDocument | None:
    """The job's result.json; None without one. Raises ResultError."""
    if not job.output:
        return None
    try:
        content = (root / job.output / result.FILE_NAME).read_bytes()
    except OSError:
        return None
    return result.read_document(content)


REPORTS = {"html": "report.html", "pdf": "report.pdf"}


def report_file(job: Job, root: Path, kind: str) -> Path | None:
    """The application's report of this kind; None without one."""
    if not job.output or kind not in REPORTS:
        return None
    path = root / job.output / REPORTS[kind]
    return path if path.is_file() else None
