"""SQLite's driver itself, for the two statements of which every received instance needs one each.

SQLAlchemy takes several times as long for them as SQLite, and nothing else of this process goes on
meanwhile. What is executed are still SQLAlchemy's statements, and what is raised its errors.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Engine, Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql.compiler import SQLCompiler


class Rows(Protocol):
    """What a statement found or, by RETURNING, wrote."""

    def fetchall(self) -> Any: ...


class Transaction(Protocol):
    """What has begun and is committed by whoever began it: SQLAlchemy's connection, or ours."""

    def execute(self, statement: Executable, parameters: Mapping[str, Any], /) -> Rows: ...


class QuickConnection:
    """One connection to SQLite, for one thread at a time. engine: where it comes from."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._prepared: dict[Executable, _Prepared] = {}
        self._driver: sqlite3.Connection | None = None
        self._pooled: Any = None

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction for writing. Raises SQLAlchemyError."""
        with self._turn, _errors():
            driver = self._open()
            driver.execute("BEGIN IMMEDIATE")
            try:
                yield self
                driver.execute("COMMIT")
            except BaseException:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
                raise

    def execute(self, statement: Executable, parameters: Mapping[str, Any], /) -> Rows:
        """Within begin(). Every column that an INSERT is to write must be named in it."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _Prepared(statement, self._engine.dialect)
        return self._open().execute(prepared.text, prepared.values(parameters))

    def _open(self) -> sqlite3.Connection:
        if self._driver is None:
            self._pooled = self._engine.raw_connection()
            self._driver = self._pooled.driver_connection
        assert self._driver is not None
        return self._driver

    def close(self) -> None:
        """Close it."""
        with self._turn:
            if self._pooled is not None:
                self._pooled.close()
            self._pooled = self._driver = None
            self._engine.dispose()


class _Prepared:
    """A statement as the driver takes it."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self.text = str(compiled)
        self._fixed = {name: bind.value for name, bind in binds.items() if not bind.required}
        self._wanted = [
            (name, binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """In their order, of the types that the driver knows. Raises KeyError where one lacks."""
        given = {**self._fixed, **parameters}
        return [
            given[name] if process is None else process(given[name])
            for name, process in self._wanted
        ]


@contextmanager
def _errors() -> Iterator[None]:
    """The driver's errors as SQLAlchemy's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from error
