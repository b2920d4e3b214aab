"""Who makes a request, and what that person may do."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.audit import Person
from oarflow.node.database import jobs
from oarflow.node.database.models import Job
from oarflow.node.web.sessions import SignedIn, find_session
from oarflow.shown import finalize

TEMPLATES = Path(__file__).parent / "templates"


def context_of(request: Request) -> NodeContext:
    """The node's context."""
    context = request.app.state.context
    assert isinstance(context, NodeContext)
    return context


def cookie_name(context: NodeContext) -> str:
    """The cookie's name. With TLS its prefix forbids other hosts and paths to set it."""
    return "__Host-oarflow" if context.settings.web.secure else "oarflow"


def visitor(request: Request, *, extend: bool = True) -> SignedIn | None:
    """The signed-in user; None without a sign-in."""
    context = context_of(request)
    token = request.cookies.get(cookie_name(context), "")
    if not token:
        return None
    return find_session(context.database, token, context.settings.web, extend=extend)


def signed_in(request: Request) -> SignedIn:
    """The signed-in user. Raises HTTPException 401."""
    who = visitor(request)
    if who is None:
        raise HTTPException(401, "Please sign in.")
    return who


def polling(request: Request) -> SignedIn:
    """The user whose page polls, which does not extend the sign-in. Raises HTTPException 401."""
    who = visitor(request, extend=False)
    if who is None:
        raise HTTPException(401, "Please sign in.")
    return who


def operator_only(who: Annotated[SignedIn, Depends(signed_in)]) -> SignedIn:
    """The user, who is an operator. Raises HTTPException 403."""
    if not who.acts:
        raise HTTPException(403, "Only operators may do this.")
    return who


def csrf_checked(
    who: Annotated[SignedIn, Depends(signed_in)], csrf: Annotated[str, Form()] = ""
) -> SignedIn:
    """The user who sent a form of the page. Raises HTTPException 403."""
    if not secrets.compare_digest(csrf.encode(), who.csrf.encode()):
        raise HTTPException(403, "The form has expired. Load the page again.")
    return who


def person(request: Request, who: SignedIn) -> Person:
    """The user, for the audit log."""
    return Person(who.user, address_of(request))


def address_of(request: Request) -> str:
    """The client's address, for the audit log and the limit on wrong passwords."""
    return request.client.host if request.client else ""


def job_of(session: Session, key: str) -> Job:
    """The job with this key. Raises HTTPException 404."""
    job = jobs.by_key(session, key) if key.isalnum() else None
    if job is None:
        raise HTTPException(404, "This study does not exist.")
    return job


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, who: SignedIn | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A rendered template. who: None without a sign-in."""
    text = _ENVIRONMENT.get_template(f"{name}.html.j2").render(who=who, **values)
    return HTMLResponse(text, status)
