"""Preparation of the process before heavy libraries are imported, and what libraries may log.

Hosts replace the entry point and run the image under user IDs without a name or a home, so that a
start script cannot do this.
"""

from __future__ import annotations

import getpass
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from oarflow.errors import ConfigurationError
from oarflow.shown import shown

LOGGER = logging.getLogger(__name__)

OWN_LOGGERS = ("oarflow", "operators", "app")
"""Loggers whose messages are written. Those of other libraries may quote a DICOM header."""

_PLACES = 6
"""Number of innermost places of a traceback in a log line; with debug, all."""


def prepare() -> None:
    """Set a user name, a writable home, quiet libraries, and threads that sleep while they wait.

    Raises ConfigurationError NO_TEMPORARY_FOLDER.
    """
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ConfigurationError(
            "NO_TEMPORARY_FOLDER",
            "no temporary folder can be written: mount one at /tmp or set TMPDIR",
        ) from error
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = "oarflow"
    home = os.environ.get("HOME", "")
    if not home or not os.access(home, os.W_OK):
        os.environ["HOME"] = temporary
    os.environ["HOLOSCAN_LOG_LEVEL"] = "OFF"  # any other level quotes exceptions
    os.environ.pop("GXF_LOG_LEVEL", None)  # would override it; a wrong value aborts the process
    os.environ.setdefault("MPLBACKEND", "Agg")
    # Threads that spin while they wait take the processor from the threads that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def configure_logging(debug: bool = False) -> None:
    """Log our own warnings and errors to standard error; with debug, all our messages.

    With debug, messages of other libraries appear as their place only. The texts of libraries,
    warnings and exceptions are never written, because they may quote headers.
    """
    level = logging.DEBUG if debug else logging.WARNING
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_FormatterWithoutValues("%(levelname)s %(name)s: %(message)s", debug))
    root = logging.getLogger()
    root.handlers = [stream if debug else logging.NullHandler()]
    root.setLevel(level)
    for name in OWN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [stream]
        logger.setLevel(level)
        logger.propagate = False
    logging.raiseExceptions = False  # its report of a malformed record quotes the record
    warnings.showwarning = _log_warning_place
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda ended: _log_failure(ended.exc_value)
    sys.unraisablehook = lambda ended: _log_failure(ended.exc_value)


def describe(error: BaseException, places: int | None = _PLACES) -> str:
    """An exception's kind and places, without its text.

    places: number of innermost places; None for all, with the exceptions that led to it.
    """
    if places is None:
        return " <- ".join(_kind_and_places(link, None) for link in chain(error))
    return _kind_and_places(error, places)


class _FormatterWithoutValues(logging.Formatter):
    """Our messages in full, others as their place only. Exceptions by kind and places."""

    def __init__(self, form: str, debug: bool) -> None:
        super().__init__(form)
        self.places = None if debug else _PLACES

    def formatMessage(self, record: logging.LogRecord) -> str:
        if record.name.split(".")[0] not in OWN_LOGGERS:
            record.message = f"{record.filename}:{record.lineno}"
        record.message = shown(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        return describe(error, self.places) if isinstance(error, BaseException) else ""


def _log_warning_place(  # noqa: PLR0917  (the signature is the library's)
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    LOGGER.debug("%s at %s:%d", category.__name__, Path(filename).name, lineno)


def _log_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _log_failure(error)


def _log_failure(error: BaseException | None) -> None:
    LOGGER.critical("the program failed", exc_info=error)


def _kind_and_places(error: BaseException, places: int | None) -> str:
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    named = found if places is None else found[-places:]
    return f"{type(error).__name__} at {' > '.join(named) or 'unknown place'}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and the exceptions that led to it, the last first."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
