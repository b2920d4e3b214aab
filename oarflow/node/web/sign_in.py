"""Signing in and out."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.audit import Action, Person, record
from oarflow.node.database.models import User
from oarflow.node.web import users
from oarflow.node.web.access import (
    address_of,
    context_of,
    cookie_name,
    csrf_checked,
    page,
    person,
    visitor,
)
from oarflow.node.web.passwords import verify_password
from oarflow.node.web.protection import Throttle
from oarflow.node.web.sessions import SignedIn, close_session, open_session

FAILURES, WITHIN_SECONDS = 20, 900.0
"""Wrong passwords from one address before it must wait."""

FORM_COOKIE = "oarflow-form"
"""A cookie that must match the form, so that no other page can sign a user in."""

router = APIRouter()


def throttle() -> Throttle:
    """The limit on wrong passwords."""
    return Throttle(FAILURES, WITHIN_SECONDS)


@router.get("/sign-in")
def show_form(request: Request) -> Response:
    """Show the form."""
    if visitor(request) is not None:
        return RedirectResponse("/", 303)
    return _form(request, "")


def _form(request: Request, complaint: str, status: int = 200) -> Response:
    token = secrets.token_urlsafe(16)
    answer = page("sign_in", None, status=status, complaint=complaint, token=token)
    secure = context_of(request).settings.web.secure
    answer.set_cookie(
        FORM_COOKIE, token, max_age=900, httponly=True, samesite="strict", secure=secure
    )
    return answer


@router.post("/sign-in")
def take_form(
    request: Request,
    name: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    token: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Sign in."""
    context = context_of(request)
    expected = request.cookies.get(FORM_COOKIE, "")
    if not expected or not secrets.compare_digest(token.encode(), expected.encode()):
        return _form(request, "The form has expired. Please try again.", 403)
    address = address_of(request)
    counter: Throttle = request.app.state.throttle
    if counter.full(address):
        return _form(request, "Too many attempts. Please wait a quarter of an hour.", 429)
    found = _check(context, name, password, address)
    if found is None:
        counter.count(address)
        return _form(request, "Name or password is wrong, or the user is locked out.", 401)
    answer = RedirectResponse("/", 303)
    settings = context.settings.web
    with context.database.write() as session:
        answer.set_cookie(
            cookie_name(context),
            open_session(session, found, settings),
            max_age=int(settings.session_hours * 3600),
            httponly=True,
            samesite="strict",
            secure=settings.secure,
        )
    answer.delete_cookie(FORM_COOKIE)
    return answer


def _check(context: NodeContext, name: str, password: str, address: str) -> User | None:
    with context.database.read() as session:
        kept = users.hash_of(session, name)
    proven = kept if verify_password(password, kept) else None
    with context.database.write() as session:
        found = users.check(session, name, proven)
        # A user may type the password into the field for the name.
        known = name if users.find(session, name) is not None else "(unknown)"
        action = Action.SIGN_IN_FAILED if found is None else Action.SIGN_IN
        record(session, Person(known, address), action)
        return found


@router.post("/sign-out")
def sign_out(request: Request, who: Annotated[SignedIn, Depends(csrf_checked)]) -> Response:
    """Sign out."""
    context = context_of(request)
    with context.database.write() as session:
        close_session(session, request.cookies.get(cookie_name(context), ""))
        record(session, person(request, who), Action.SIGN_OUT)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(cookie_name(context), secure=context.settings.web.secure)
    return answer
