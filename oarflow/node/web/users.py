"""The users of the page, and their roles."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from oarflow.node.audit import Action, Person, record
from oarflow.node.database.models import User, WebSession, now
from oarflow.node.web.passwords import hash_password

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

FREE_FAILURES = 5
"""Wrong passwords in a row before a user is locked out."""
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(minutes=15)


class UserRole(StrEnum):
    """VIEWER sees studies. OPERATOR also acts on them and sees the audit log."""

    VIEWER = "viewer"
    OPERATOR = "operator"


def find(session: Session, name: str) -> User | None:
    """A user by name. A name that no user can have is not looked up."""
    if not NAME.fullmatch(name):
        return None
    return session.scalar(select(User).where(User.name == name))


def put(session: Session, name: str, password: str, role: UserRole | None, by: Person) -> User:
    """Add a user, or set a new password. Sign-ins with the old password end.

    role: None to keep a known user's role; a new user is then a viewer. A disabled user stays
    disabled. Raises ValueError for a name or password that is not accepted.
    """
    if not NAME.fullmatch(name):
        raise ValueError("a user name may hold only small letters, digits and . _ -")
    user = find(session, name)
    if user is None:
        user = User(name=name, password_hash="", role=UserRole.VIEWER.value, disabled=False)
        session.add(user)
    user.password_hash = hash_password(password)
    user.failures, user.locked_until = 0, None
    if role is not None:
        user.role = role.value
    session.flush()
    end_sessions(session, user)
    change = "password" if role is None else "password and role"
    record(session, by, Action.USER, name, role=user.role, change=change)
    return user


def disable(session: Session, name: str, by: Person) -> User:
    """Forbid a user to sign in, and end all sign-ins. Raises LookupError."""
    return _let_in(session, name, by, disabled=True)


def enable(session: Session, name: str, by: Person) -> User:
    """Allow a disabled user to sign in again. Raises LookupError."""
    return _let_in(session, name, by, disabled=False)


def _let_in(session: Session, name: str, by: Person, *, disabled: bool) -> User:
    user = find(session, name)
    if user is None:
        raise LookupError(f"there is no user {name!r}")
    user.disabled = disabled
    end_sessions(session, user)
    record(session, by, Action.USER, name, change="disabled" if disabled else "enabled")
    return user


def end_sessions(session: Session, user: User) -> None:
    """End all sign-ins of a user."""
    session.execute(delete(WebSession).where(WebSession.user_id == user.id))


def hash_of(session: Session, name: str) -> str | None:
    """The hash of a user's password; None for unknown and disabled users."""
    user = find(session, name)
    return None if user is None or user.disabled else user.password_hash


def check(session: Session, name: str, proven: str | None) -> User | None:
    """The user, if the password is right and the user is neither disabled nor locked out.

    proven: the hash that the password matched, None if it matched none; the comparison takes too
    long for a transaction. Wrong passwords in a row lock a user out for a growing time.
    """
    user = find(session, name)
    if user is None or user.disabled:
        return None
    if user.locked_until is not None and now() < user.locked_until <= now() + LONGEST_LOCK:
        return None
    if proven is None or proven != user.password_hash:
        user.failures += 1
        beyond = user.failures - FREE_FAILURES
        if beyond >= 0:
            user.locked_until = now() + min(LONGEST_LOCK, FIRST_LOCK * 2 ** min(beyond, 8))
        return None
    user.failures, user.locked_until = 0, None
    return user
