"""What a process needs before the heavy libraries are imported, and what they may say.

Hosts replace the entry point and run the image under user IDs that have no name and no home, so
nothing of this can be left to a start script.
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
"""Only these are quoted: other libraries' messages may hold values of a DICOM header."""

_PLACES = 6
"""Innermost places of a traceback that a line names; with debug, all."""


def prepare() -> None:
    """Give the process a user name, a home that it can write, and libraries that are quiet and
    wait for their turn asleep.

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
    os.environ["HOLOSCAN_LOG_LEVEL"] = "OFF"  # at any other it quotes exceptions
    os.environ.pop("GXF_LOG_LEVEL", None)  # overrules it, and a wrong value aborts
    os.environ.setdefault("MPLBACKEND", "Agg")
    # Threads that spin while they wait take the processor from those they wait for.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def configure_logging(debug: bool = False) -> None:
    """Our own messages to standard error, from warnings on; with debug, all of them, and of other
    libraries who spoke and where.

    At no level is anything written that other libraries, warnings or exceptions say: they quote
    headers.
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
    """An exception's kind and the places it went through; nothing that it says.

    places: the innermost ones that are named; None for all, with the exceptions that led to it.
    """
    if places is None:
        return " <- ".join(_kind_and_places(link, None) for link in chain(error))
    return _kind_and_places(error, places)


class _FormatterWithoutValues(logging.Formatter):
    """Own messages in full; of others, the place that spoke. Exceptions by kind and places."""

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
    """An exception and those that led to it, the last first."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
