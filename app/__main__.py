"""The command line: `python -m app`, `python3 /opt/holoscan/app`, or `oarflow`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime

from app.arguments import parse
from oarflow.console import outlive_readers
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.run.environment import configure_logging, prepare
from oarflow.run.signals import StopOnSignal


def main(argv: Sequence[str] | None = None) -> int:
    """Run the application. argv: flags without the program's name. Returns the exit status."""
    started = time.monotonic()
    outlive_readers()
    flags = parse(argv)
    try:
        prepare()
        configure_logging(flags.debug)
        return _act(flags, started)
    except ConfigurationError as error:
        sys.stderr.write(f"oarflow: {error.code}: {error}\n")
        return ExitStatus.USAGE


def _act(flags: argparse.Namespace, started: float) -> int:
    """Do what the flags say. What each way does not need is not imported."""
    if flags.explain_codes:
        from oarflow.run.table import print_codes  # noqa: PLC0415

        print_codes()
        return ExitStatus.WRITTEN
    if flags.print_config:
        from oarflow.run.paths import config_path  # noqa: PLC0415
        from oarflow.run.settings import load_settings  # noqa: PLC0415

        settings = load_settings(config_path(flags.config, os.environ))
        sys.stdout.write(settings.as_yaml())
        return ExitStatus.WRITTEN
    # Before anything imports numpy: its threads, too, must have the signals blocked.
    with StopOnSignal() as stop:
        if flags.self_test:
            from oarflow.run.self_test import run_self_test  # noqa: PLC0415

            return run_self_test(flags.output, flags.models, flags.config, stop, started)
        return _contour(flags, stop, started)


def _contour(flags: argparse.Namespace, stop: StopOnSignal, started: float) -> int:
    from oarflow.run.paths import resolve  # noqa: PLC0415
    from oarflow.run.settings import load_settings  # noqa: PLC0415

    paths = resolve(vars(flags), os.environ)
    settings = load_settings(paths.config)
    if settings.run_seconds is not None:
        stop.deadline = started + settings.run_seconds
    when = _run_time()  # numerical libraries read its variable too, and break on a wrong one
    from app.application import in_graph  # noqa: PLC0415
    from oarflow.run.session import Session  # noqa: PLC0415

    session = Session(paths, settings, when, flags.progress, flags.quiet, started, in_graph)
    return session.run(stop, flags.each_study)


def _run_time() -> datetime:
    from oarflow.rtstruct.provenance import run_time  # noqa: PLC0415

    try:
        return run_time()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError("SOURCE_DATE_EPOCH", str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
