"""The audit log: what persons do, and what of a patient they see. It only ever grows.

Each entry carries a digest over itself and the one before, so that a change or a gap shows. The
digest has no key: whoever may rewrite the table can compute all of them anew.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from oarflow.node.database.models import AuditEntry, now


class Action(StrEnum):
    """What is written down."""

    SIGN_IN = "sign in"
    SIGN_IN_FAILED = "sign in failed"
    SIGN_OUT = "sign out"
    LIST = "list"
    SEARCH = "search"
    VIEW = "view"
    REPORT = "report"
    RESEND = "resend"
    RETRY = "retry"
    CANCEL = "cancel"
    RELEASE = "release"
    AUDIT = "audit log"
    PULL = "pull"
    USER = "user"
    BACK_UP = "back up"
    RESTORE = "restore"


@dataclass(frozen=True)
class Person:
    """Who, and from where. name: the user's, or what was given as one."""

    name: str
    address: str = ""


def at_the_keyboard() -> Person:
    """Who runs a command on the node's machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        name = str(os.getuid())
    return Person(name, "command line")


def record(
    session: Session, person: Person, action: Action, subject: str = "", **detail: Any
) -> None:
    """Add an entry in the transaction of what it tells. subject: a job's key, or a user's name."""
    if session.get_bind().dialect.name == "postgresql":
        # Two at once would otherwise both follow the same entry. SQLite has one writer anyway.
        session.execute(text("LOCK TABLE audit_log IN EXCLUSIVE MODE"))
    last = session.scalar(select(AuditEntry.chain).order_by(AuditEntry.id.desc()).limit(1))
    entry = AuditEntry(
        at=now().replace(microsecond=0),
        user=person.name[:64],
        address=person.address[:64],
        action=action.value,
        subject=subject[:64],
        detail=detail,
    )
    entry.chain = _digest(last or "", entry)
    session.add(entry)
    session.flush()


def _digest(before: str, entry: AuditEntry) -> str:
    content = [
        before,
        entry.at.isoformat(),
        entry.user,
        entry.address,
        entry.action,
        entry.subject,
        entry.detail,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def first_broken(session: Session) -> int | None:
    """Id of the first entry that does not follow from the one before; None where all do.

    Entries cut off at the end leave no trace here: keep copies of the log elsewhere.
    """
    before = ""
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)).yield_per(500):
        if entry.chain != _digest(before, entry):
            return entry.id
        before = entry.chain
    return None
