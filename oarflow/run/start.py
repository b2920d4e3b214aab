"""The start of a contouring program: the clock, the time limit, then the heavy imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError
from oarflow.run.layers import SettingsLayers
from oarflow.run.paths import Paths
from oarflow.run.signals import StopOnSignal

if TYPE_CHECKING:
    from oarflow.errors import ExitStatus
    from oarflow.result import ResultDocument
    from oarflow.run.session import Chain


@dataclass(frozen=True)
class Display:
    """Output of a run. progress: a ProgressKind. quiet: no table and no paths at the end."""

    progress: str = "auto"
    quiet: bool = False

    def show(self, documents: Mapping[Path, ResultDocument], out: Path) -> None:
        """Print the results of a run. documents: by the folder of their files."""
        from oarflow.run.summary import print_results, print_troubles

        if not self.quiet:
            print_results(documents, out)
        elif self.progress in ("auto", "bar"):
            print_troubles(documents.values())


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
    when = limited(settings, stop, started)
    from oarflow.run.session import Session, in_process
    from oarflow.run.summary import worst_status

    carried = in_process if chain is None else chain()
    session = Session(paths, settings, when, display.progress, started, carried, context or {})
    documents = session.run(stop, each_study)
    display.show(documents, paths.output)
    return worst_status(documents.values())


def limited(settings: SettingsLayers, stop: StopOnSignal, started: float) -> datetime:
    """Set the time limit of a run. Returns the run's time.

    Call it before numerical libraries are imported: they read SOURCE_DATE_EPOCH too and fail on a
    wrong value. Raises ConfigurationError (SETTINGS, SOURCE_DATE_EPOCH).
    """
    limit = settings.settings().run_seconds
    if limit is not None:
        stop.deadline = started + limit
    return run_moment()


def run_moment() -> datetime:
    """The run's time: SOURCE_DATE_EPOCH where set, else now.

    Raises ConfigurationError SOURCE_DATE_EPOCH.
    """
    from oarflow.clock import run_time

    try:
        return run_time()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError("SOURCE_DATE_EPOCH", str(error)) from error
