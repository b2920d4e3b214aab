"""Sign-ins: a random token in a cookie, of which the database has only the digest."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from oarflow.node.database import Database
from oarflow.node.database.models import User, WebSession, now
from oarflow.node.settings.web import WebSettings
from oarflow.node.web.users import UserRole


@dataclass(frozen=True)
class SignedIn:
    """Who makes the request. csrf: what the forms of the page carry."""

    user: str
    role: UserRole
    csrf: str

    @property
    def acts(self) -> bool:
        """Whether the role may do more than look."""
        return self.role is UserRole.OPERATOR


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def open_session(session: Session, user: User, settings: WebSettings) -> str:
    """Sign a user in: the token for the cookie. Those that have run out are removed."""
    session.execute(delete(WebSession).where(WebSession.expires_at < now()))
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            token_hash=digest(token),
            user_id=user.id,
            csrf=secrets.token_urlsafe(24),
            expires_at=now() + timedelta(minutes=settings.idle_minutes),
        )
    )
    return token


def find_session(
    database: Database, token: str, settings: WebSettings, *, extend: bool = True
) -> SignedIn | None:
    """Who has this token. extend: the sign-in goes on for another while of rest.

    Only reads, unless a sign-in that is there has to be changed: whatever somebody sends as a
    cookie keeps no sender from storing.
    """
    with database.read() as session:
        found = _look_up(session, token, settings)
    if found is None or not (found.ended or (extend and found.due)):
        return None if found is None else found.who
    with database.write() as session:
        found = _look_up(session, token, settings)
        if found is None:
            return None
        if found.ended:
            session.delete(found.row)
            return None
        found.row.expires_at = now() + timedelta(minutes=settings.idle_minutes)
        return found.who


@dataclass(frozen=True)
class _Found:
    """A sign-in. who: None where it has ended. due: it is time to extend it."""

    row: WebSession
    who: SignedIn | None
    due: bool

    @property
    def ended(self) -> bool:
        return self.who is None


def _look_up(session: Session, token: str, settings: WebSettings) -> _Found | None:
    row = session.get(WebSession, digest(token))
    if row is None:
        return None
    user = session.get(User, row.user_id)
    longest = timedelta(hours=settings.session_hours)
    ended = row.expires_at < now() or now() - row.created_at > longest
    if user is None or user.disabled or ended:
        return _Found(row, None, due=False)
    idle = timedelta(minutes=settings.idle_minutes)
    due = now() + idle - row.expires_at > idle / 10
    return _Found(row, SignedIn(user.name, UserRole(user.role), row.csrf), due)


def close_session(session: Session, token: str) -> None:
    """Sign out."""
    session.execute(delete(WebSession).where(WebSession.token_hash == digest(token)))
