"""The node: opens its state, repairs what a crash left, and starts its parts in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.locking import lock
from oarflow.node.assembly.parts import NodeContext, Part
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import Database, faults
from oarflow.node.delivery.notifier import Notifier
from oarflow.node.delivery.reports import commitment
from oarflow.node.delivery.sender import Sender
from oarflow.node.execution.executor import Executor
from oarflow.node.execution.workspace import JOBS
from oarflow.node.files import keep_from_others, make_folder
from oarflow.node.housekeeping.housekeeper import Housekeeper
from oarflow.node.listener.server import Listener
from oarflow.node.series.watcher import SeriesWatcher
from oarflow.node.settings import NodeSettings
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.spool import INCOMING
from oarflow.node.templates.keeper import TemplateKeeper
from oarflow.node.web.server import WebServer

LOGGER = logging.getLogger(__name__)


class Node:
    """All parts of the node. Call open() before start(), and close() at the end."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.root = settings.storage.root
        self.database = Database(settings.database_url, settings.database.busy_seconds)
        self.receiver = Receiver(settings, self.database)
        self.executor = Executor(settings, self.database)
        self.templates = TemplateKeeper(settings, self.database)
        reports = commitment(self.database, settings.delivery.retry)
        self.listener = Listener(settings.listener, self.receiver, [reports])
        self._all: tuple[Part, ...] = ()
        self._parts: list[Part] = []
        self._lock: int | None = None

    def open(self) -> None:
        """Open folder, lock and database; then take up the work that a restart interrupted.

        Raises ConfigurationError (STORAGE, IN_USE, DATABASE, SETTINGS, TEMPLATES).
        """
        try:
            make_folder(self.root)
            keep_from_others(self.root, 0o770)
            self._lock = lock(self.root)
            with faults.refused(self.database.url):
                self.database.verify()
                self._refuse_to_forget()
                self.database.migrate()
                self.templates.open()
                files, runs = self.receiver.recover(), self.executor.recover()
        except OSError as error:
            raise ConfigurationError("STORAGE", f"{self.root}: {error.strerror}") from error
        if files or runs:
            LOGGER.warning(
                "after a restart: %d files entered into the database, %d runs taken up", files, runs
            )

    def start(self) -> None:
        """Start every part. Raises ConfigurationError, after all parts are stopped.

        The listener starts before the series watcher: the watcher must not count the time in which
        nothing could arrive.
        """
        context = NodeContext(self.settings, self.database, self.health)
        self._all = (
            self.executor,
            self.templates,
            *other_parts(context),
            self.listener,
            SeriesWatcher(self.settings, self.database),
        )
        try:
            for part in self._all:
                part.start()
                self._parts.append(part)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop every part, the last one first, and leave the work under way in a safe state."""
        while self._parts:
            part = self._parts.pop()
            LOGGER.info("stopping %s", part.name)
            part.stop()
        self.database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def health(self) -> Mapping[str, str | None]:
        """The trouble of each part, by its name; None if it works."""
        state: dict[str, str | None] = {"database": None}
        try:
            self.database.check()
        except SQLAlchemyError as error:
            state["database"] = faults.in_words(error)
        for part in self._all:
            state[part.name] = part.trouble() if part in self._parts else "not started"
        return state

    def stuck(self) -> str | None:
        """The name of a part that hangs; only a restart of the node helps."""
        hanging = (one for one in self._parts if isinstance(one, Worker) and one.stuck())
        return next((one.name for one in hanging), None)

    def _refuse_to_forget(self) -> None:
        """Refuse a new database beside a storage folder that is in use.

        All its studies would be contoured and delivered again, and the audit log would be lost.
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


def other_parts(context: NodeContext) -> list[Part]:
    """The parts besides listener, watcher and executor, in the order of their start."""
    parts: list[Part] = [Sender(context), Notifier(context), Housekeeper(context)]
    if context.settings.web.enabled:
        parts.append(WebServer(context))
    return parts
