"""What goes to a worker, and what comes back. Plain values: they travel between machines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STOP = "stop"
"""A file of this name in the workspace ends the run."""


@dataclass(frozen=True)
class RunOrder:
    """One run of the application.

    token: names the run. workspace: its folder. command: with {output} still open, since an engine
    that repeats a run gives each its own. memory_bytes: None for no limit.
    """

    job_id: int
    token: str
    workspace: str
    command: tuple[str, ...]
    environment: dict[str, str]
    time_limit_seconds: float
    memory_bytes: int | None
    heartbeat_seconds: float


class End(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    STOPPED = "stopped"
    NOT_STARTED = "not started"


@dataclass(frozen=True)
class RunOutcome:
    """A run is over. exit_status: of the process where it exited; the signal where it was killed.

    output: the folder with the results. peak_bytes: resident memory of all its processes.
    """

    job_id: int
    token: str
    end: End
    output: str
    exit_status: int | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
