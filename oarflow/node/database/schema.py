"""Creates and updates the tables, and refuses those of another version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from oarflow.errors import ConfigurationError

MIGRATIONS = Path(__file__).parent / "migrations"

BEFORE_RELEASE = frozenset({"0001", "0002", "0003"})
"""Revisions of development versions, which this version cannot update."""


def upgrade(connection: Connection) -> None:
    """Create or update the tables.

    Raises ConfigurationError (DATABASE) if another version of the program made them.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    _refuse_other_versions(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


def _refuse_other_versions(connection: Connection, scripts: ScriptDirectory) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if found is None or found in known:
        return
    if found in BEFORE_RELEASE:
        words = (
            f"a development version of OARflow made this database (revision {found}). Back it up "
            "with that version (oarflow node backup ARCHIVE), and restore the archive with this "
            "version into an empty folder or database (oarflow node restore ARCHIVE)"
        )
    else:
        words = (
            f"another version of OARflow made this database (revision {found}): use that version, "
            "or restore a back-up into an empty folder (oarflow node restore ARCHIVE)"
        )
    raise ConfigurationError("DATABASE", words)
