"""Opens the node's database for commands that run beside the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database, faults
from oarflow.node.files import make_folder
from oarflow.node.settings import NodeSettings


@contextmanager
def opened(settings: NodeSettings) -> Iterator[Database]:
    """The database, brought up to date. Raises ConfigurationError (STORAGE, DATABASE)."""
    root = settings.storage.root
    try:
        make_folder(root)
    except OSError as error:
        raise ConfigurationError("STORAGE", f"{root}: {error.strerror}") from error
    database = Database(settings.database_url, settings.database.busy_seconds)
    try:
        with faults.refused(database.url):
            database.migrate()
            yield database
    finally:
        database.close()
