"""Who may sign in, and what each role may do."""

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
    """VIEWER sees studies; OPERATOR also acts on them, and sees the audit log."""

    VIEWER = "viewer"
    OPERATOR = "operator"


def find(session: Session, name: str) -> User | None:
    """A user by name; a name that no user can have (with a NUL, say) never reaches the database."""
    if not NAME.fullmatch(name):
        return None
    return session.scalar(select(User).where(User.name == name))


def put(session: Session, name: str, password: str, role: UserRole | None, by: Person) -> User:
    """Add a user, or give one a new password. Sign-ins with the old one end.

    role: None: a user that is known keeps theirs, a new one is a viewer. Who is disabled stays so.
    Raises ValueError where the name or the password is not accepted.
    """
    if not NAME.fullmatch(name):
        raise ValueError("a user's name has small letters, digits, dots, _ and - only")
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
    """Let a user sign in no more; sign-ins end at once. Raises LookupError."""
    return _let_in(session, name, by, disabled=True)


def enable(session: Session, name: str, by: Person) -> User:
    """Let a user that was disabled sign in again. Raises LookupError."""
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
    """What the user's password is compared with; None for no user, or one who is disabled."""
    user = find(session, name)
    return None if user is None or user.disabled else user.password_hash


def check(session: Session, name: str, proven: str | None) -> User | None:
    """The user, if the password is right and the user is neither disabled nor locked out.

    proven: the hash that the password was found to fit, None where it did not: comparing takes too
    long for a transaction. Counts: wrong passwords in a row lock a user out for a growing time.
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
