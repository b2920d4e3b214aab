"""The node's database for commands beside the running node; its errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from oarflow.errors import ConfigurationError
from service.database import Database
from service.files import make_folder
from service.node import migrate
from service.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database in this program's form. Raises ConfigurationError (STORAGE, DATABASE)."""
    root = settings.storage.root
    try:
        make_folder(root)
    except OSError as error:
        raise ConfigurationError("STORAGE", f"{root}: {error.strerror}") from error
    database = Database(settings.database_url, settings.database.busy_seconds)
    try:
        migrate(database)
        yield database
    except SQLAlchemyError as error:
        # The error's text may quote values.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise ConfigurationError("DATABASE", f"the database does not answer ({kind})") from error
    finally:
        database.close()
