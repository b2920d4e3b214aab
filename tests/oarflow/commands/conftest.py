"""What runs need: the phantom and its networks; and the test process as it was before."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from oarflow.run.environment import OWN_LOGGERS
from tests.app.conftest import ct, models

__all__ = ["ct", "models"]


@pytest.fixture(autouse=True)
def process_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Verbs that run in the test's process set up its logging, hooks and environment."""
    for owner, name in (
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (warnings, "showwarning"),
        (logging, "raiseExceptions"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    environment = dict(os.environ)
    loggers = [logging.getLogger(name) for name in (None, *OWN_LOGGERS)]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield
    for log, log.handlers, level, log.propagate in before:
        log.setLevel(level)
    os.environ.clear()
    os.environ.update(environment)
