"""`oarflow node audit`: check the audit log, and print it as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys

from sqlalchemy import select

from oarflow.errors import ExitStatus
from oarflow.node.assembly.opening import opened
from oarflow.node.audit import Action, at_the_keyboard, first_broken, record
from oarflow.node.database.models import AuditEntry
from oarflow.node.settings import NodeSettings


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Print the log, and record that. Returns 1 if an entry does not match the one before."""
    with opened(settings) as database:
        with database.write() as session:
            record(session, at_the_keyboard(), Action.AUDIT, after=flags.after)
        with database.read() as session:
            chosen = select(AuditEntry).where(AuditEntry.id > flags.after).order_by(AuditEntry.id)
            for entry in session.scalars(chosen).yield_per(500):
                sys.stdout.write(json.dumps(_as_json(entry)) + "\n")
            broken = first_broken(session)
    if broken is not None:
        sys.stderr.write(
            f"entry {broken} was changed: its digest does not match the entry before\n"
        )
        return ExitStatus.FAULT
    return ExitStatus.WRITTEN


def _as_json(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "user": entry.user,
        "address": entry.address,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "chain": entry.chain,
    }
