"""`oarflow self-test`: contour the shipped sample and compare with the expected result."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from oarflow.commands.flags import add_config, add_models

EPILOG = "Run it after every installation and upgrade. Exit status: 0 passed; 1 failed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="OUT", help="folder for the record, self-test.json")
    add_models(parser)
    add_config(parser)
    add("--debug", action="store_true", help="for developers: log tracebacks without error texts")


def run(flags: argparse.Namespace) -> int:
    """Run it. Returns the exit status. Raises ConfigurationError."""
    started = time.monotonic()
    from oarflow.run.environment import configure_logging, prepare
    from oarflow.run.signals import StopOnSignal

    prepare()
    configure_logging(flags.debug)
    # Before numpy is imported: its threads must have the signals blocked too.
    with StopOnSignal() as stop:
        from oarflow.run.self_test import run_self_test

        return run_self_test(flags.output, flags.models, flags.config, stop, started)
