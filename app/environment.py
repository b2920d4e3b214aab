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
import warnings
from pathlib import Path

from oarflow.errors import ConfigurationError

OWN_LOGGERS = ("oarflow", "operators", "app")
"""Only these speak: other libraries' messages may hold values of a DICOM header."""


def prepare() -> None:
    """Give the process a user name, a home that it can write, and quiet libraries.

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
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "OFF")
    os.environ.setdefault("MPLBACKEND", "Agg")


def configure_logging(debug: bool = False) -> None:
    """Our own messages to standard error, nobody else's; with debug, everybody's.

    debug: for developers; other libraries' messages may then show patient data.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(_Scrubbed("%(levelname)s %(name)s: %(message)s", debug))
    logging.captureWarnings(True)
    if debug:
        root.addHandler(own)
        root.setLevel(logging.DEBUG)
        return
    warnings.simplefilter("ignore")
    root.addHandler(logging.NullHandler())
    for name in OWN_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [own]
        logger.setLevel(logging.WARNING)
        logger.propagate = False


class _Scrubbed(logging.Formatter):
    """Tracebacks by place and kind, without the exception's text, which may quote a header."""

    def __init__(self, form: str, debug: bool) -> None:
        super().__init__(form)
        self.debug = debug

    def formatException(self, ei: object) -> str:  # noqa: N802  (logging's name)
        if self.debug:
            return super().formatException(ei)  # type: ignore[arg-type]
        error = ei[1] if isinstance(ei, tuple) else None
        return describe(error) if isinstance(error, BaseException) else ""


def describe(error: BaseException) -> str:
    """An exception's kind and the places it went through; nothing that it says."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(places[-6:]) or 'unknown place'}"
