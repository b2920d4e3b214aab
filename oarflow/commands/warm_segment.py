"""`python -m oarflow.commands.warm_segment`: `oarflow segment`, order after order in one process.

Not for people: a holder (`oarflow.warm.process`) starts it and writes orders to it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import pickle
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands import exit_status, parser
from oarflow.console import ignore_closed_pipes
from oarflow.errors import ExitStatus
from oarflow.warm.order import Order
from oarflow.warm.process import WarmProgram
from oarflow.warm.serving import serve

if TYPE_CHECKING:
    from oarflow.run.kept_networks import KeptNetworks
    from oarflow.run.signals import StopOnSignal

LOGGER = logging.getLogger(__name__)

STUDIES_PER_PROCESS = 50
"""How many studies one process contours."""


def program() -> WarmProgram:
    """This program, with the environment, folder and standard error of the calling process."""
    command = (sys.executable, "-m", "oarflow.commands.warm_segment")
    return WarmProgram(command, dict(os.environ), Path.cwd(), STUDIES_PER_PROCESS, merged=False)


def main() -> None:
    """Carry out orders from standard input until there are no more."""
    from oarflow.run.environment import configure_logging, prepare
    from oarflow.run.signals import StopOnSignal

    ignore_closed_pipes()
    prepare()
    configure_logging()
    # Before numpy is imported: its threads must have the signals blocked too.
    with StopOnSignal() as stop:
        import oarflow.run.session  # noqa: F401  (before the first order, to save its time)
        from oarflow.run.kept_networks import KeptNetworks

        gc.freeze()  # what lives as long as the process need not be looked at after each study
        serve(partial(_carry_out, stop=stop, kept=KeptNetworks()))


def _carry_out(order: Order, stop: StopOnSignal, kept: KeptNetworks) -> tuple[int, bool]:
    """The exit status of an order, and whether the process takes another."""
    started = time.monotonic()
    from oarflow.run.memory import restart_peak

    measured = restart_peak()
    try:
        flags = parser(order.arguments[0]).parse_args(order.arguments)
        status = exit_status(partial(_contour, flags, order.study, stop, started, kept))
    except SystemExit:  # of the parser
        status = ExitStatus.USAGE
    except Exception as error:
        LOGGER.critical("the program failed", exc_info=error)
        status = ExitStatus.FAULT
    finally:
        stop.deadline, stop.cleanup = None, lambda: True
    return status, measured


def _contour(
    flags: argparse.Namespace, study: str, stop: StopOnSignal, started: float, kept: KeptNetworks
) -> int:
    """Contour one study. study: a file that the holder wrote; empty if the flags name the input.

    Raises ConfigurationError.
    """
    from oarflow.commands.segment import layers_of, paths_of
    from oarflow.run.environment import configure_logging
    from oarflow.run.session import Session
    from oarflow.run.start import limited
    from oarflow.run.summary import worst_status
    from oarflow.templates.rules import context_of

    configure_logging(flags.debug)
    paths = paths_of(flags)
    layers = layers_of(flags, paths)
    session = Session(
        paths,
        layers,
        limited(layers, stop, started),
        flags.progress,
        started,
        context=context_of(flags.context),
        open_store=kept.open,
        study=pickle.loads(Path(study).read_bytes()) if study else None,
    )
    return worst_status(session.run(stop).values())


if __name__ == "__main__":
    main()
