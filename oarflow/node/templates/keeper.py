"""Reads changed templates while the node runs. A faulty set never replaces a good one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.worker import Worker
from oarflow.node.database import Database, template_sets
from oarflow.node.settings import NodeSettings
from oarflow.node.templates.source import check, configured

LOGGER = logging.getLogger(__name__)

RELOAD_SECONDS = 10.0
"""How often (s) the node looks for changed templates."""

RECHECK_SECONDS = 60.0
"""After this time (s), a set that the application refused is checked again: settings or networks
may have changed."""


class TemplateKeeper(Worker):
    """The part of the node that accepts sets of templates. Jobs take the one accepted last."""

    name = "templates"

    def __init__(
        self,
        settings: NodeSettings,
        database: Database,
        every_seconds: float = RELOAD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(every_seconds)
        self._execution = settings.execution
        self._database = database
        self._clock = clock
        self._refused: tuple[str, ConfigurationError, float] | None = None

    def open(self) -> None:
        """Read and check the templates before any job begins.

        Raises ConfigurationError if they are faulty and no earlier set can stay in force.
        """
        try:
            self._load(again=True)
        except ConfigurationError as error:
            with self._database.read() as session:
                earlier = template_sets.current(session)
            if earlier is None or not earlier.texts:
                raise
            self._report(_in_words(error))

    def tick(self) -> None:
        """Accept the templates if they changed and are good. Raises ConfigurationError."""
        self._load()

    def attempt(self) -> None:
        """A tick. A faulty set is trouble of the site, not a fault."""
        try:
            self.tick()
            self._trouble = None
        except ConfigurationError as error:
            self._report(_in_words(error))
        except Exception:
            super().attempt()

    def _load(self, *, again: bool = False) -> None:
        """again: whether the set that is in force is checked too."""
        found = configured(self._execution)
        with self._database.read() as session:
            before = template_sets.current(session)
            known = "" if before is None else before.digest
        if known == (found.digest if found.templates else "") and not again:
            return
        if found.templates:
            self._check(found.digest, lambda: check(self._execution, found))
        with self._database.write() as session:
            accepted = template_sets.accept(session, found)
        if accepted:
            names = ", ".join(one.name for one in found.templates) or "none"
            LOGGER.info("templates in force: %s", names)

    def _check(self, digest: str, checked: Callable[[], None]) -> None:
        """Check a set, unless it was refused a short time ago."""
        if self._refused is not None:
            refused, error, moment = self._refused
            if refused == digest and self._clock() - moment < RECHECK_SECONDS:
                raise error
        try:
            checked()
        except ConfigurationError as error:
            self._refused = (digest, error, self._clock())
            raise
        self._refused = None


def _in_words(error: ConfigurationError) -> str:
    return f"{error}. The templates accepted before stay in force"
