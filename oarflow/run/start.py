"""How a program that contours begins: the clock, the time limit, and then the heavy imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError
from oarflow.run.paths import Paths
from oarflow.run.settings import Settings
from oarflow.run.signals import StopOnSignal

if TYPE_CHECKING:
    from oarflow.errors import ExitStatus
    from oarflow.run.session import Chain


@dataclass(frozen=True)
class Display:
    """What a run shows. progress: a ProgressKind. quiet: no table and no paths at the end."""

    progress: str = "auto"
    quiet: bool = False


def contour(
    paths: Paths,
    settings: Settings,
    stop: StopOnSignal,
    started: float,
    display: Display,
    *,
    each_study: bool = False,
    chain: Callable[[], Chain] | None = None,
) -> ExitStatus:
    """Contour the input into the output folder.

    stop: entered before numpy was imported. started: time.monotonic() of the process's start.
    chain: imports what carries the steps out; None for the chain in this process.
    Raises ConfigurationError, with the output folder as it was.
    """
    if settings.run_seconds is not None:
        stop.deadline = started + settings.run_seconds
    when = run_moment()  # numerical libraries read its variable too, and break on a wrong one
    from oarflow.run.session import Session, in_process

    carried = in_process if chain is None else chain()
    session = Session(paths, settings, when, display.progress, display.quiet, started, carried)
    return session.run(stop, each_study)


def run_moment() -> datetime:
    """The run's time: SOURCE_DATE_EPOCH where set, else now.

    Raises ConfigurationError SOURCE_DATE_EPOCH.
    """
    from oarflow.clock import run_time

    try:
        return run_time()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError("SOURCE_DATE_EPOCH", str(error)) from error
