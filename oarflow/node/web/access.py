"""Who asks: what every page needs to know before it answers."""

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
    """The node."""
    context = request.app.state.context
    assert isinstance(context, NodeContext)
    return context


def cookie_name(context: NodeContext) -> str:
    """With TLS the name itself forbids that another host or path sets it."""
    return "__Host-oarflow" if context.settings.web.secure else "oarflow"


def visitor(request: Request, *, extend: bool = True) -> SignedIn | None:
    """Who it is; None where nobody is signed in."""
    context = context_of(request)
    token = request.cookies.get(cookie_name(context), "")
    if not token:
        return None
    return find_session(context.database, token, context.settings.web, extend=extend)


def signed_in(request: Request) -> SignedIn:
    """Somebody. Raises HTTPException 401."""
    who = visitor(request)
    if who is None:
        raise HTTPException(401, "Please sign in.")
    return who


def polling(request: Request) -> SignedIn:
    """Somebody whose page asks by itself: that keeps no sign-in alive. Raises HTTPException 401."""
    who = visitor(request, extend=False)
    if who is None:
        raise HTTPException(401, "Please sign in.")
    return who


def operator_only(who: Annotated[SignedIn, Depends(signed_in)]) -> SignedIn:
    """An operator. Raises HTTPException 403."""
    if not who.acts:
        raise HTTPException(403, "Your role is to look, not to act.")
    return who


def csrf_checked(
    who: Annotated[SignedIn, Depends(signed_in)], csrf: Annotated[str, Form()] = ""
) -> SignedIn:
    """Somebody who sent a form of ours. Raises HTTPException 403."""
    if not secrets.compare_digest(csrf.encode(), who.csrf.encode()):
        raise HTTPException(403, "This form is not of your page. Load the page again.")
    return who


def person(request: Request, who: SignedIn) -> Person:
    """Who, for the audit log."""
    return Person(who.user, address_of(request))


def address_of(request: Request) -> str:
    """Where the request comes from: for the audit log, and for the limit on wrong sign-ins."""
    return request.client.host if request.client else ""


def job_of(session: Session, key: str) -> Job:
    """The job of an address. Raises HTTPException 404."""
    job = jobs.by_key(session, key) if key.isalnum() else None
    if job is None:
        raise HTTPException(404, "There is no such study.")
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
    """A rendered template. who: None where nobody is signed in."""
    text = _ENVIRONMENT.get_template(f"{name}.html.j2").render(who=who, **values)
    return HTMLResponse(text, status)
