"""The database's engine, with transactions for reading and for writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from oarflow.errors import ConfigurationError
from oarflow.node.database import faults, schema
from oarflow.node.database.commit_log import LoggingSession
from oarflow.node.files import keep_from_others


class Database:
    """The node's database.

    url: SQLAlchemy's. busy_seconds: how long a writer waits for locks before OperationalError.
    """

    def __init__(self, url: str, busy_seconds: float = 10) -> None:
        self.url = url
        self.engine = _engine(url, busy_seconds)
        self._writer = self.engine.execution_options(oarflow_write=True)

    @property
    def sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction for writing: committed at the end of the block, or rolled back on an error.

        Lines of `log_on_commit` are logged after the commit.
        """
        with LoggingSession(self._writer, expire_on_commit=False) as session, session.begin():
            session.connection()
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view for reading. Loaded rows stay usable after it."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Create or update the tables. Raises ConfigurationError, SQLAlchemyError."""
        with self._writer.begin() as connection:
            schema.upgrade(connection)

    def verify(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError if the database is damaged or not writable."""
        with self._writer.connect() as connection:
            faults.verify(connection)

    def is_new(self) -> bool:
        """Whether the database has no tables yet. Raises sqlalchemy.exc.SQLAlchemyError."""
        return not inspect(self.engine).get_table_names()

    def check(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError if the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def _engine(url: str, busy_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("SETTINGS", "database.url is not the URL of a database") from error
    if parsed.get_backend_name() == "postgresql":
        milliseconds = round(busy_seconds * 1000)
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            connect_args={"options": f"-c lock_timeout={milliseconds}", "connect_timeout": 10},
        )
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError("SETTINGS", "database.url must name SQLite or PostgreSQL")
    return _sqlite(parsed, busy_seconds)


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    """SQLite with WAL and synchronous=FULL: commits survive a loss of power."""

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    engine = create_engine(url, connect_args={"timeout": busy_seconds}, pool_size=10)
    if url.database and url.database != ":memory:":
        event.listen(engine, "do_connect", partial(_private, Path(url.database)))
    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    return engine


def _private(file: Path, *_: object) -> None:
    """Keep other users from SQLite's files, also before SQLite creates them."""
    with contextlib.suppress(OSError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for suffix in ("", "-wal", "-shm"):
        keep_from_others(file.with_name(file.name + suffix), 0o600)


def _begin(connection: Connection) -> None:
    """Writers lock at the start: a later lock could find the view outdated."""
    writes = connection.get_execution_options().get("oarflow_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
