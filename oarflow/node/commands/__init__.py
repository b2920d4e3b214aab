"""The commands of `oarflow node`: one module each, with main(flags, settings)."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from oarflow.node.commands import audit, backup, batch, doctor, pull, restore, run, user
from oarflow.node.settings import NodeSettings

COMMANDS: dict[str, Callable[[argparse.Namespace, NodeSettings], int]] = {
    "run": run.main,
    "doctor": doctor.main,
    "batch": batch.main,
    "pull": pull.main,
    "user": user.main,
    "audit": audit.main,
    "backup": backup.main,
    "restore": restore.main,
}
"""The commands by name; each returns its exit status. oarflow/commands/node.py has the flags."""
