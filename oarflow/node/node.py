"""The node: its parts in order, started after what a crash left was put right."""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database, faults
from oarflow.node.delivery.reports import commitment
from oarflow.node.execution.executor import Executor
from oarflow.node.execution.workspace import JOBS
from oarflow.node.files import keep_from_others, make_folder
from oarflow.node.listener.server import Listener
from oarflow.node.parts import Context, Part
from oarflow.node.series import Assembler
from oarflow.node.settings import Settings
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.spool import INCOMING
from oarflow.node.worker import Worker

LOGGER = logging.getLogger(__name__)

OTHERS = (
    "oarflow.node.delivery",
    "oarflow.node.delivery.ringer",
    "oarflow.node.housekeeping",
    "oarflow.node.web",
)
"""Packages and modules whose part() is started if there is one."""

LOCK = "node.lock"


class Node:
    """All parts. open() and close() frame what is between; start() needs open()."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.storage.root
        self.database = Database(settings.database_url, settings.database.busy_seconds)
        self.receiver = Receiver(settings, self.database)
        self.executor = Executor(settings, self.database)
        self.listener = Listener(settings.listener, self.receiver, [commitment(self.database)])
        self._all: tuple[Part, ...] = ()
        self._parts: list[Part] = []
        self._lock: int | None = None

    def open(self) -> None:
        """Folder, lock, database; then whatever was under way goes on where it was.

        Raises ConfigurationError (STORAGE, IN_USE, DATABASE).
        """
        try:
            make_folder(self.root)
            keep_from_others(self.root, 0o770)
            self._lock = lock(self.root)
            self.database.verify()
            self._refuse_to_forget()
            migrate(self.database)
            files, runs = self.receiver.recover(), self.executor.recover()
        except OSError as error:
            raise ConfigurationError("STORAGE", f"{self.root}: {error.strerror}") from error
        except SQLAlchemyError as error:
            said = faults.with_remedy(error, self.database.url)
            raise ConfigurationError("DATABASE", said) from error
        if files or runs:
            LOGGER.warning("after a restart: %d files journalled, %d runs taken up", files, runs)

    def start(self) -> None:
        """Start every part. Raises ConfigurationError, all of it stopped.

        The listener comes after what works on what it receives, and before what counts silence:
        nobody can break a silence that is kept for want of somebody who listens.
        """
        context = Context(self.settings, self.database, self.health)
        self._all = (
            self.executor,
            *other_parts(context),
            self.listener,
            Assembler(self.settings, self.database),
        )
        try:
            for part in self._all:
                part.start()
                self._parts.append(part)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop every part, the last one first; what is under way is put down safely."""
        while self._parts:
            part = self._parts.pop()
            LOGGER.info("stopping %s", part.name)
            part.stop()
        self.database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def health(self) -> Mapping[str, str | None]:
        """What is wrong with each part; None where nothing is."""
        state: dict[str, str | None] = {"database": None}
        try:
            self.database.check()
        except SQLAlchemyError as error:
            state["database"] = faults.in_words(error)
        for part in self._all:
            state[part.name] = part.trouble() if part in self._parts else "it has not started"
        return state

    def hopeless(self) -> str | None:
        """The name of a part that hangs for good: its thread cannot be replaced alone."""
        hanging = (one for one in self._parts if isinstance(one, Worker) and one.hopeless())
        return next((one.name for one in hanging), None)

    def _refuse_to_forget(self) -> None:
        """A database that has just been made knows nothing of a folder that is in use.

        All its studies would be contoured and sent once more, and the audit log would be gone.
        Raises ConfigurationError (DATABASE).
        """
        if not self.database.is_new():
            return
        if self.receiver.spool.stored() or any((self.root / JOBS).glob("*")):
            raise ConfigurationError(
                "DATABASE",
                f"the database is empty or missing, but {self.root} holds studies; restore the "
                "last back-up: oarflow node restore ARCHIVE. Without one, move the folders "
                f"{INCOMING} and {JOBS} elsewhere, start the node and send the studies again",
            )


def other_parts(context: Context) -> list[Part]:
    """What the packages beside the core contribute."""
    made = []
    for name in OTHERS:
        make = getattr(importlib.import_module(name), "part", None)
        part = make(context) if make is not None else None
        if part is not None:
            made.append(part)
    return made


def lock(root: Path) -> int:
    """Only one node works on a folder. Returns the descriptor that holds the lock.

    Raises ConfigurationError (IN_USE).
    """
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigurationError("IN_USE", f"another node works on {root}") from error
    return descriptor


def migrate(database: Database) -> None:
    """Bring the database to this program's form. Raises ConfigurationError, SQLAlchemyError."""
    try:
        database.migrate()
    except CommandError as error:
        raise ConfigurationError(
            "DATABASE", f"the database is of another version of the program ({error})"
        ) from error
