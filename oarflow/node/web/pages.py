"""The pages that show studies. The audit log records every view of patient data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from sqlalchemy import select

from oarflow.node.audit import Action, record
from oarflow.node.database.models import AuditEntry, Job
from oarflow.node.states import State
from oarflow.node.templates.keeper import TemplateKeeper
from oarflow.node.web import views
from oarflow.node.web.access import (
    context_of,
    csrf_checked,
    job_of,
    operator_only,
    page,
    person,
    polling,
    signed_in,
)
from oarflow.node.web.protection import REPORT_POLICY, REPORT_SANDBOX
from oarflow.node.web.sessions import SignedIn
from oarflow.shown import escaped, hidden

MAX_WATCHED = 500
AUDIT_ROWS = 200
LARGEST = (1 << 31) - 1
"""The greatest ID in both databases."""

router = APIRouter()


@router.get("/")
def show_list(
    request: Request,
    who: Annotated[SignedIn, Depends(signed_in)],
    state: str = "",
    number: int = 1,
) -> Response:
    """The newest studies."""
    return _list(request, who, state=_state(state), number=number, term="")


@router.post("/search")
def search(
    request: Request,
    who: Annotated[SignedIn, Depends(csrf_checked)],
    term: Annotated[str, Form(max_length=200)] = "",
    state: Annotated[str, Form(max_length=16)] = "",
    number: Annotated[int, Form()] = 1,
) -> Response:
    """Studies that match. A POST, so that patient data stay out of addresses."""
    return _list(request, who, state=_state(state), number=number, term=_term(term))


def _term(text: str) -> str:
    """The search term. Raises HTTPException if it holds characters that cannot match."""
    found = hidden(text.strip())
    if found:
        words = (
            f"The search term holds an invisible character ({escaped(found[0])}). Type it again."
        )
        raise HTTPException(422, words)
    return text.strip()


def _state(text: str) -> State | None:
    try:
        return State(text) if text else None
    except ValueError:
        raise HTTPException(404, "This state does not exist.") from None


def _list(
    request: Request, who: SignedIn, *, state: State | None, number: int, term: str
) -> Response:
    context = context_of(request)
    with context.database.write() as session:
        found = views.listing(
            session, page=number, rows=context.settings.web.rows, state=state, term=term
        )
        newest = views.newest_id(session)
        seen = [row.live.key for row in found.rows]
        action = Action.SEARCH if term else Action.LIST
        detail: dict[str, Any] = {"term": term} if term else {}
        record(session, person(request, who), action, jobs=seen, **detail)
    return page(
        "list",
        who,
        found=found,
        newest=newest,
        state=state,
        states=list(State),
        term=term,
        templates_trouble=context.health().get(TemplateKeeper.name),
    )


@router.get("/live")
def live(
    request: Request, _: Annotated[SignedIn, Depends(polling)], keys: str = ""
) -> JSONResponse:
    """Current states of the jobs on a page, without patient data."""
    wanted = [key for key in keys.split(",")[:MAX_WATCHED] if key.isalnum()]
    context = context_of(request)
    with context.database.read() as session:
        found = session.scalars(select(Job).where(Job.key.in_(wanted)))
        states = [{**asdict(one), "css": one.css} for one in map(views.live, found)]
        return JSONResponse({"newest": views.newest_id(session), "jobs": states})


@router.get("/studies/{key}")
def show_study(
    request: Request, key: str, who: Annotated[SignedIn, Depends(signed_in)]
) -> Response:
    """The page of a study."""
    context = context_of(request)
    with context.database.write() as session:
        job = job_of(session, key)
        shown = views.page_of(job, context.settings.storage.root, acts=who.acts)
        patient = {"patient_id": shown.row.patient_id, "study": job.series.study.study_uid}
        record(session, person(request, who), Action.VIEW, key, **patient)
        return page("study", who, shown=shown)


@router.get("/studies/{key}/report")
def show_report(
    request: Request, key: str, who: Annotated[SignedIn, Depends(signed_in)]
) -> Response:
    """The application's report in a frame."""
    context = context_of(request)
    with context.database.read() as session:
        job = job_of(session, key)
        if views.report_file(job, context.settings.storage.root, "html") is None:
            raise HTTPException(404, "The study has no report.")
        return page("report", who, key=key, sandbox=REPORT_SANDBOX)


@router.get("/studies/{key}/report.{kind}")
def report_file(
    request: Request, key: str, kind: str, who: Annotated[SignedIn, Depends(signed_in)]
) -> Response:
    """The report's file, sandboxed in an origin of its own."""
    context = context_of(request)
    with context.database.write() as session:
        path = views.report_file(job_of(session, key), context.settings.storage.root, kind)
        if path is None:
            raise HTTPException(404, "The study has no such report.")
        record(session, person(request, who), Action.REPORT, key, kind=kind)
    if kind == "pdf":
        return FileResponse(path, media_type="application/pdf", filename=f"report-{key[:8]}.pdf")
    return FileResponse(
        path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY}
    )


@router.get("/audit")
def show_audit(
    request: Request,
    who: Annotated[SignedIn, Depends(operator_only)],
    before: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> Response:
    """The audit log, newest entries first."""
    with context_of(request).database.write() as session:
        chosen = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(AUDIT_ROWS)
        if before > 0:
            chosen = chosen.where(AuditEntry.id < before)
        entries = list(session.scalars(chosen))
        record(session, person(request, who), Action.AUDIT)
    return page("audit", who, entries=entries, rows=AUDIT_ROWS)
