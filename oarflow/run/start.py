"""The start of a contouring program: the clock, the time limit, then the heavy imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError
from oarflow.run.layers import SettingsLayers
from oarflow.run.paths import Paths
from oarflow.run.signals import StopOnSignal

if TYPE_CHECKING:
    from oarflow.errors import ExitStatus
    from oarflow.run.session import Chain


@dataclass(frozen=True)
class Display:
    """Output of a run. progress: a ProgressKind. quiet: no table and no paths at the end."""

    progress: str = "auto"
    quiet: bool = False


def contour(
    paths: Paths,
    settings: SettingsLayers,
    stop: StopOnSignal,
    started: float,
    display: Display,
    *,
    each_study: bool = False,
    context: Mapping[str, str] | None = None,
    chain: Callable[[], Chain] | None = None,
) -> ExitStatus:
    """Contour the input into the output folder.

    stop: entered before numpy was imported. started: time.monotonic() of the process's start.
    context: values from the caller, for the rules of templates.
    chain: imports and returns the function that runs the steps; None: in this process.
    Raises ConfigurationError and then leaves the output folder unchanged.
    """
    limit = settings.settings().run_seconds
    if limit is not None:
        stop.deadline = started + limit
    when = run_moment()  # numerical libraries read the variable too and fail on a wrong value
    from oarflow.run.session import Session, in_process

    carried = in_process if chain is None else chain()
    session = Session(
        paths, settings, when, display.progress, display.quiet, started, carried, context or {}
    )
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
