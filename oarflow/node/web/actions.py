"""The actions of operators on a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from oarflow.node.audit import Action, record
from oarflow.node.database import deliveries, jobs
from oarflow.node.database.models import Job
from oarflow.node.delivery import planning
from oarflow.node.housekeeping.housekeeper import images_there
from oarflow.node.settings import NodeSettings
from oarflow.node.states import NotAllowed
from oarflow.node.web.access import context_of, csrf_checked, job_of, operator_only, person
from oarflow.node.web.sessions import SignedIn

router = APIRouter()


def _resend(session: Session, _: NodeSettings, job: Job, actor: str) -> None:
    deliveries.resend(session, job, actor)


def _retry(session: Session, settings: NodeSettings, job: Job, actor: str) -> None:
    if not images_there(job, settings.storage.root):
        raise LookupError("its images are deleted; send the series again")
    jobs.retry(session, job, actor)


def _cancel(session: Session, _: NodeSettings, job: Job, actor: str) -> None:
    jobs.cancel(session, job, actor)
    deliveries.cancel_all(session, job)


def _release(session: Session, settings: NodeSettings, job: Job, actor: str) -> None:
    planning.begin(session, settings, job, "released", actor)


ACTIONS: dict[Action, Callable[[Session, NodeSettings, Job, str], None]] = {
    Action.RESEND: _resend,
    Action.RETRY: _retry,
    Action.CANCEL: _cancel,
    Action.RELEASE: _release,
}


@router.post("/studies/{key}/{action}")
def act(
    request: Request,
    key: str,
    action: str,
    who: Annotated[SignedIn, Depends(operator_only)],
    _: Annotated[SignedIn, Depends(csrf_checked)],
) -> Response:
    """Do an action, and show the study."""
    if action not in {known.value for known in ACTIONS}:
        raise HTTPException(404, "This action does not exist.")
    context = context_of(request)
    chosen = Action(action)
    try:
        with context.database.write() as session:
            job = jobs.load(session, job_of(session, key).id)
            ACTIONS[chosen](session, context.settings, job, who.user)
            patient = {"patient_id": job.series.study.patient_id}
            record(session, person(request, who), chosen, key, **patient)
    except (NotAllowed, LookupError) as refusal:
        raise HTTPException(409, f"Not possible: {refusal}.") from refusal
    return RedirectResponse(f"/studies/{key}", 303)
