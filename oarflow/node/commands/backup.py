"""`oarflow node backup`: write database and files into an archive while the node runs."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.node.assembly.opening import opened
from oarflow.node.audit import Action, at_the_keyboard, record
from oarflow.node.housekeeping.backup import back_up
from oarflow.node.settings import NodeSettings


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Write the archive. Raises ConfigurationError (BACK_UP)."""
    target = flags.archive.absolute()
    root = settings.storage.root
    if target.is_relative_to(root.resolve()):
        raise ConfigurationError("BACK_UP", "the archive must be outside the storage folder")
    if target.exists():
        raise ConfigurationError("BACK_UP", f"{target} exists already")
    with opened(settings) as database:
        with database.write() as session:
            record(session, at_the_keyboard(), Action.BACK_UP)
        try:
            made = back_up(database, root, target)
        except OSError as error:
            raise ConfigurationError("BACK_UP", f"{target}: {error.strerror}") from error
    sys.stdout.write(f"{target}: {made.rows} rows, {made.files} files\n")
    return ExitStatus.WRITTEN
