"""`oarflow node restore`: fill an empty, stopped node from an archive of `backup`."""

from __future__ import annotations

import argparse
import os
import sys

from oarflow.errors import ExitStatus
from oarflow.node.assembly.locking import lock
from oarflow.node.assembly.opening import opened
from oarflow.node.audit import Action, at_the_keyboard, record
from oarflow.node.files import make_folder
from oarflow.node.housekeeping.backup import restore
from oarflow.node.settings import NodeSettings


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Restore the archive. Raises ConfigurationError."""
    root = settings.storage.root
    make_folder(root)
    held = lock(root)
    try:
        with opened(settings) as database:
            done = restore(flags.archive, database, root)
            with database.write() as session:
                record(session, at_the_keyboard(), Action.RESTORE)
    finally:
        os.close(held)
    gone = f", {done.missing} instances without their file" if done.missing else ""
    sys.stdout.write(f"{done.rows} rows, {done.files} files{gone}\n")
    return ExitStatus.WRITTEN
