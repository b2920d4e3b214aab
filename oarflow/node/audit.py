"""The audit log: what persons do and which patients' data they see. Entries are only added.

Each entry has a digest of itself and the entry before, so that a change or a gap shows. The digest
has no key: a person who may rewrite the table can compute all digests again.
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
    """The actions that the log records."""

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
    """Who acted, and from where. name: the user's name, or what was typed as one."""

    name: str
    address: str = ""


def at_the_keyboard() -> Person:
    """The person who runs a command on the node's machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        name = str(os.getuid())
    return Person(name, "command line")


def record(
    session: Session, person: Person, action: Action, subject: str = "", **detail: Any
) -> None:
    """Add an entry in the transaction of the action. subject: a job's key, or a user's name."""
    if session.get_bind().dialect.name == "postgresql":
        # Two entries must not follow the same one. SQLite has one writer anyway.
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
    """ID of the first entry whose digest does not match the entry before; None if all match.

    Entries that were cut off at the end leave no trace: keep copies of the log elsewhere.
    """
    before = ""
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)).yield_per(500):
        if entry.chain != _digest(before, entry):
            return entry.id
        before = entry.chain
    return None
