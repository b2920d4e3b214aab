"""The order for a worker and the outcome of a run, as plain values for transport."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STOP = "stop"
"""Name of the file whose presence in the workspace ends the run."""


@dataclass(frozen=True)
class WarmOrder:
    """The same run as an order to a warm process.

    program: the command that starts the process, with the placeholder {python}. arguments: of the
    order, with the placeholder {output}. studies: how many studies one process contours.
    """

    program: tuple[str, ...]
    arguments: tuple[str, ...]
    studies: int


@dataclass(frozen=True)
class RunOrder:
    """An order for one run of the application.

    token: names the run. workspace: its folder. command: with the placeholder {output}, since a
    repeated run needs an output folder of its own. memory_bytes: None for no limit. warm: None
    where the study gets a process of its own.
    """

    job_id: int
    token: str
    workspace: str
    command: tuple[str, ...]
    environment: dict[str, str]
    time_limit_seconds: float
    memory_bytes: int | None
    heartbeat_seconds: float
    warm: WarmOrder | None = None


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
    """The outcome of a run. exit_status: of the process, or the signal that killed it.

    output: the folder with the results. peak_bytes: resident memory of all processes of the run.
    """

    job_id: int
    token: str
    end: End
    output: str
    exit_status: int | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
