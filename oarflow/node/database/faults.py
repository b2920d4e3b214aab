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


class Fault(StrEnum):
    """Kinds of faults, as they are said."""

    DAMAGED = "the database is damaged"
    FULL = "the database's disk is full"
    DISK = "the database's disk does not read or write"
    FORBIDDEN = "the node may not open or write the database"
    BUSY = "another program keeps the database locked"
    AWAY = "the database does not answer"


_OF_SQLITE = {
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.DISK,
    sqlite3.SQLITE_CANTOPEN: Fault.FORBIDDEN,
    sqlite3.SQLITE_READONLY: Fault.FORBIDDEN,
    sqlite3.SQLITE_PERM: Fault.FORBIDDEN,
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
}
"""By the primary result code: the low byte of what Python tells."""

_NO_ROOM_FOR_WAL = sqlite3.SQLITE_IOERR_SHMSIZE
"""What SQLite says where a full disk has no room for the index of its log."""

_OF_POSTGRESQL = {
    "XX001": Fault.DAMAGED,
    "XX002": Fault.DAMAGED,
    "53100": Fault.FULL,
    "58030": Fault.DISK,
    "42501": Fault.FORBIDDEN,
    "25006": Fault.FORBIDDEN,
    "55P03": Fault.BUSY,
}
"""By SQLSTATE (PostgreSQL's documentation, appendix A)."""


def kind_of(error: SQLAlchemyError) -> Fault:
    """Which fault it is; AWAY for all that have no other name."""
    inner = getattr(error, "orig", None)
    code = getattr(inner, "sqlite_errorcode", None)
    if code == _NO_ROOM_FOR_WAL:
        return Fault.FULL
    if code is not None:
        return _OF_SQLITE.get(code & 0xFF, Fault.AWAY)
    return _OF_POSTGRESQL.get(getattr(inner, "sqlstate", None) or "", Fault.AWAY)


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


def remedy(fault: Fault, url: str) -> str:
    """What to do about it."""
    file = make_url(url).database or ""
    of_sqlite = make_url(url).get_backend_name() == "sqlite"
    if fault is Fault.DAMAGED and of_sqlite:
        return (
            f"move {file}, {file}-wal and {file}-shm to another folder, then restore the last "
            "back-up: oarflow node restore ARCHIVE"
        )
    if fault is Fault.DAMAGED:
        return (
            "restore it by PostgreSQL's means, or the last back-up into an empty database: "
            "oarflow node restore ARCHIVE"
        )
    if fault is Fault.FORBIDDEN and of_sqlite:
        return f"give {file} and its folder to the node's user, and let it read and write both"
    return {
        Fault.FULL: "make room, then start the node again",
        Fault.DISK: "look for errors of the disk in the system's log before anything else",
        Fault.FORBIDDEN: "give the database's user the right to write",
        Fault.BUSY: "end the program that has it open, or raise database.busy_seconds",
        Fault.AWAY: "check database.url, and that the server runs and lets the node in",
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
