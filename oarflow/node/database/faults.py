"""What is wrong with the database, in words for a person, and what to do about it.

The text of an error may quote values: only its kind is looked at.
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
    """Kinds of faults, as they are said."""

    DAMAGED = "the database is damaged"
    FULL = "the database's disk is full"
    DISK = "the database's disk does not read or write"
    FORBIDDEN = "the node may not open or write the database"
    BUSY = "another program keeps the database locked"
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
"""By the primary result code: the low byte of what Python tells."""

_NO_ROOM_FOR_WAL = sqlite3.SQLITE_IOERR_SHMSIZE
"""What SQLite says where a full disk has no room for the index of its log."""

_OF_POSTGRESQL = {
    "XX001": DatabaseFault.DAMAGED,
    "XX002": DatabaseFault.DAMAGED,
    "53100": DatabaseFault.FULL,
    "58030": DatabaseFault.DISK,
    "42501": DatabaseFault.FORBIDDEN,
    "25006": DatabaseFault.FORBIDDEN,
    "55P03": DatabaseFault.BUSY,
}
"""By SQLSTATE (PostgreSQL's documentation, appendix A)."""


def kind_of(error: SQLAlchemyError) -> DatabaseFault:
    """Which fault it is; AWAY for all that have no other name."""
    inner = getattr(error, "orig", None)
    code = getattr(inner, "sqlite_errorcode", None)
    if code == _NO_ROOM_FOR_WAL:
        return DatabaseFault.FULL
    if code is not None:
        return _OF_SQLITE.get(code & 0xFF, DatabaseFault.AWAY)
    return _OF_POSTGRESQL.get(getattr(inner, "sqlstate", None) or "", DatabaseFault.AWAY)


def in_words(error: SQLAlchemyError) -> str:
    """The fault, and the kind of error."""
    inner = getattr(error, "orig", None) or error
    name = getattr(inner, "sqlite_errorname", None) or type(inner).__name__
    return f"{kind_of(error)} ({name})"


@contextmanager
def refused(url: str) -> Iterator[None]:
    """Errors of the database at this URL, in words with their remedy.

    Raises ConfigurationError (DATABASE) in place of SQLAlchemyError.
    """
    try:
        yield
    except SQLAlchemyError as error:
        said = f"{in_words(error)}; {remedy(kind_of(error), url)}"
        raise ConfigurationError("DATABASE", said) from error


def remedy(fault: DatabaseFault, url: str) -> str:
    """What to do about it."""
    file = make_url(url).database or ""
    of_sqlite = make_url(url).get_backend_name() == "sqlite"
    if fault is DatabaseFault.DAMAGED and of_sqlite:
        return (
            f"move {file}, {file}-wal and {file}-shm to another folder, then restore the last "
            "back-up: oarflow node restore ARCHIVE"
        )
    if fault is DatabaseFault.DAMAGED:
        return (
            "restore it by PostgreSQL's means, or the last back-up into an empty database: "
            "oarflow node restore ARCHIVE"
        )
    if fault is DatabaseFault.FORBIDDEN and of_sqlite:
        return f"give {file} and its folder to the node's user, and let it read and write both"
    return {
        DatabaseFault.FULL: "make room, then start the node again",
        DatabaseFault.DISK: "look for errors of the disk in the system's log before anything else",
        DatabaseFault.FORBIDDEN: "give the database's user the right to write",
        DatabaseFault.BUSY: "end the program that has it open, or raise database.busy_seconds",
        DatabaseFault.AWAY: "check database.url, and that the server runs and lets the node in",
    }[fault]


def verify(connection: Connection) -> None:
    """Read a whole SQLite database once, and see that it can be written.

    A lost or zeroed page may otherwise go unnoticed until somebody needs it, and a file without
    the right to write until something is received. connection: in a transaction, which is rolled
    back. Raises SQLAlchemyError, as SQLite would.
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
