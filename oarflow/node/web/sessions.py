"""Sign-ins: a random token in a cookie, whose digest is in the database."""

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
    """The signed-in user. csrf: the token of the page's forms."""

    user: str
    role: UserRole
    csrf: str

    @property
    def acts(self) -> bool:
        """Whether the user is an operator."""
        return self.role is UserRole.OPERATOR


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def open_session(session: Session, user: User, settings: WebSettings) -> str:
    """Sign a user in. Returns the token for the cookie. Expired sign-ins are deleted."""
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
    """The user with this token; None without one. extend: restart the idle time.

    Writes only to change an existing sign-in, so that a flood of cookies does not block senders.
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
    """A sign-in. who: None if it has ended. due: whether to extend it now."""

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
