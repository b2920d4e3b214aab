"""The container's command line: `python -m app` or `python3 /opt/holoscan/app`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.arguments import parse
from oarflow.console import ignore_closed_pipes
from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.run.environment import configure_logging, prepare
from oarflow.run.signals import StopOnSignal

if TYPE_CHECKING:
    from oarflow.run.session import Chain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the application. argv: options without the program's name. Returns the exit status."""
    started = time.monotonic()
    ignore_closed_pipes()
    flags = parse(argv)
    try:
        prepare()
        configure_logging(flags.debug)
        return _act(flags, started)
    except ConfigurationError as error:
        sys.stderr.write(f"oarflow: {error.code}: {error}\n")
        return ExitStatus.USAGE


def _act(flags: argparse.Namespace, started: float) -> int:
    """Carry out the options. Each branch imports only what it needs."""
    if flags.explain_codes:
        from oarflow.run.table import print_codes

        print_codes(sys.stdout)
        return ExitStatus.WRITTEN
    if flags.print_config:
        from oarflow.run.paths import config_path
        from oarflow.run.settings import load_settings

        settings = load_settings(config_path(flags.config, os.environ))
        sys.stdout.write(settings.as_yaml())
        return ExitStatus.WRITTEN
    # Before numpy is imported: its threads must have the signals blocked too.
    with StopOnSignal() as stop:
        if flags.self_test:
            from oarflow.run.self_test import run_self_test

            return run_self_test(flags.output, flags.models, flags.config, stop, started)
        return _contour(flags, stop, started)


def _contour(flags: argparse.Namespace, stop: StopOnSignal, started: float) -> int:
    from oarflow.run.layers import SettingsLayers, templates_change
    from oarflow.run.paths import resolve
    from oarflow.run.start import Display, contour
    from oarflow.templates.rules import context_of

    paths = resolve(vars(flags), os.environ)
    return contour(
        paths,
        SettingsLayers.read(paths.config, templates_change(flags.templates)),
        stop,
        started,
        Display(flags.progress, flags.quiet),
        each_study=flags.each_study,
        context=context_of(flags.context),
        chain=_graph,
    )


def _graph() -> Chain:
    from app.application import in_graph

    return in_graph


if __name__ == "__main__":
    sys.exit(main())
