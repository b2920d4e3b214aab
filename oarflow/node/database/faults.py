"""Faults of the database, in words for a person, with remedies.

The text of an error may quote patient data: only its kind is used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from oarflow.errors import ConfigurationError


class DatabaseFault(StrEnum):
    """Kinds of faults, as messages name them."""

    DAMAGED = "the database is damaged"
    FULL = "the disk of the database is full"
    DISK = "the disk of the database has read or write errors"
    FORBIDDEN = "the node may not open or write the database"
    BUSY = "another program has locked the database"
    AWAY = "the database does not answer"


_OF_SQLITE = {
    sqlite3.SQLITE_CORRUPT: DatabaseFault.DAMAGED,
    sqlite3.SQLITE_NOTADB: DatabaseFault.DAMAGED,
    sqlite3.SQLITE_FULL: DatabaseFault.FULL,
    sqlite3.SQLITE_IOERR: DatabaseFault.DISK,
    sqlite3.SQLITE_CANTOPEN: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_READONLY: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_PERM: DatabaseFault.FORBIDDEN,
    sqlite3.SQLITE_BUSY: DatabaseFault.BUSY,
    sqlite3.SQLITE_LOCKED: DatabaseFault.BUSY,
}
"""Faults by SQLite's primary result code, the low byte of sqlite_errorcode."""

_NO_ROOM_FOR_WAL = sqlite3.SQLITE_IOERR_SHMSIZE
"""SQLite's error if a full disk has no room for the index of its log."""

_OF_POSTGRESQL = {
    "XX001": DatabaseFault.DAMAGED,
    "XX002": DatabaseFault.DAMAGED,
    "53100": DatabaseFault.FULL,
    "58030": DatabaseFault.DISK,
    "42501": DatabaseFault.FORBIDDEN,
    "25006": DatabaseFault.FORBIDDEN,
    "55P03": DatabaseFault.BUSY,
}
"""Faults by SQLSTATE (PostgreSQL's documentation, appendix A)."""


def kind_of(error: SQLAlchemyError) -> DatabaseFault:
    """The kind of fault; AWAY for errors of no other kind."""
    inner = getattr(error, "orig", None)
    code = getattr(inner, "sqlite_errorcode", None)
    if code == _NO_ROOM_FOR_WAL:
        return DatabaseFault.FULL
    if code is not None:
        return _OF_SQLITE.get(code & 0xFF, DatabaseFault.AWAY)
    return _OF_POSTGRESQL.get(getattr(inner, "sqlstate", None) or "", DatabaseFault.AWAY)


def in_words(error: SQLAlchemyError) -> str:
    """The fault, with the name of the error."""
    inner = getattr(error, "orig", None) or error
    name = getattr(inner, "sqlite_errorname", None) or type(inner).__name__
    return f"{kind_of(error)} ({name})"


@contextmanager
def refused(url: str) -> Iterator[None]:
    """Turns SQLAlchemyError into ConfigurationError (DATABASE) with fault and remedy.

    url: of the database.
    """
    try:
        yield
    except SQLAlchemyError as error:
        said = f"{in_words(error)}; {remedy(kind_of(error), url)}"
        raise ConfigurationError("DATABASE", said) from error


def remedy(fault: DatabaseFault, url: str) -> str:
    """What to do about a fault."""
    file = make_url(url).database or ""
    of_sqlite = make_url(url).get_backend_name() == "sqlite"
    if fault is DatabaseFault.DAMAGED and of_sqlite:
        return (
            f"move {file}, {file}-wal and {file}-shm to another folder, then restore the last "
            "back-up: oarflow node restore ARCHIVE"
        )
    if fault is DatabaseFault.DAMAGED:
        return (
            "restore it with PostgreSQL's tools, or the last back-up into an empty database: "
            "oarflow node restore ARCHIVE"
        )
    if fault is DatabaseFault.FORBIDDEN and of_sqlite:
        return f"give the node's user the right to read and write {file} and its folder"
    return {
        DatabaseFault.FULL: "free disk space, then start the node again",
        DatabaseFault.DISK: "look for disk errors in the system's log first",
        DatabaseFault.FORBIDDEN: "give the database's user the right to write",
        DatabaseFault.BUSY: "stop the program that uses it, or raise database.busy_seconds",
        DatabaseFault.AWAY: "check database.url, and that the server runs and accepts the node",
    }[fault]


def verify(connection: Connection) -> None:
    """Read a whole SQLite database once, and check that it is writable.

    Otherwise a damaged page or a missing right shows only when it is needed. connection: in a
    transaction, which is rolled back. Raises SQLAlchemyError, as SQLite would.
    """
    if connection.dialect.name != "sqlite":
        return
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if found != "ok":
        damage = sqlite3.DatabaseError("quick_check")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        damage.sqlite_errorname = "SQLITE_CORRUPT"
        raise DatabaseError(None, None, damage)
    connection.execute(text("CREATE TABLE written (here INTEGER)"))
    connection.rollback()
