"""The form of the tables: made, brought up to date, or refused where it is another version's."""

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
"""Revisions of development versions. The migrations from them are not kept."""


def upgrade(connection: Connection) -> None:
    """Bring the tables to this program's form.

    Raises ConfigurationError (DATABASE) where another version of the program made them.
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
            f"a development version of OARflow made this database (revision {found}), and this "
            "version does not read it. Back it up with the version that made it (oarflow node "
            "backup ARCHIVE), move the storage folder elsewhere, or choose an empty database, and "
            "restore the archive with this version (oarflow node restore ARCHIVE)"
        )
    else:
        words = (
            f"another version of OARflow made this database (revision {found}): use that version, "
            "or restore a back-up into an empty folder (oarflow node restore ARCHIVE)"
        )
    raise ConfigurationError("DATABASE", words)
