"""The states of a job, and the table of allowed steps."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a job, which is one version of one series of one sender."""

    RECEIVED = "received"
    COMPLETE = "complete"
    QUEUED = "queued"
    RUNNING = "running"
    REFUSED = "refused"
    FAILED = "failed"
    HELD = "held"
    SEGMENTED = "segmented"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    DEAD_LETTER = "dead letter"
    CANCELLED = "cancelled"


MEANINGS: dict[State, str] = {
    State.RECEIVED: "instances arrive; more may follow",
    State.COMPLETE: "the series is quiet and has no gap",
    State.QUEUED: "waits for a worker",
    State.RUNNING: "a worker contours the series",
    State.REFUSED: "the input was refused, with a reason code",
    State.FAILED: "the application failed and is not started again",
    State.HELD: "contoured, but doubtful: a person must decide",
    State.SEGMENTED: "contoured and checked; waits for delivery",
    State.DELIVERING: "the node sends the result, or waits for the next attempt",
    State.DELIVERED: "all destinations have the result, or the job has no destination",
    State.DEAD_LETTER: "the node gave up at least one delivery",
    State.CANCELLED: "stopped by a person",
}

TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.COMPLETE, State.REFUSED, State.CANCELLED}),
    State.COMPLETE: frozenset({State.QUEUED, State.RECEIVED, State.REFUSED, State.CANCELLED}),
    State.QUEUED: frozenset(
        {State.RUNNING, State.RECEIVED, State.REFUSED, State.FAILED, State.CANCELLED}
    ),
    State.RUNNING: frozenset(
        {
            State.SEGMENTED,
            State.HELD,
            State.REFUSED,
            State.FAILED,
            State.QUEUED,
            State.RECEIVED,
            State.CANCELLED,
        }
    ),
    State.REFUSED: frozenset({State.DELIVERING, State.QUEUED, State.RECEIVED, State.CANCELLED}),
    State.FAILED: frozenset({State.QUEUED, State.RECEIVED, State.CANCELLED}),
    State.HELD: frozenset({State.DELIVERING, State.QUEUED, State.RECEIVED, State.CANCELLED}),
    State.SEGMENTED: frozenset(
        {State.DELIVERING, State.DELIVERED, State.QUEUED, State.RECEIVED, State.CANCELLED}
    ),
    State.DELIVERING: frozenset({State.DELIVERED, State.DEAD_LETTER, State.CANCELLED}),
    State.DELIVERED: frozenset({State.DELIVERING}),
    State.DEAD_LETTER: frozenset({State.DELIVERING, State.CANCELLED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}
"""The allowed next states. RUNNING to QUEUED: a lost worker or a further attempt. To RECEIVED: late
slices. From a final state to QUEUED: a person asked for it."""

RESTARTABLE = frozenset(state for state, after in TRANSITIONS.items() if State.RECEIVED in after)
"""States in which late slices restart the job. In other states they make a new version."""


class NotAllowed(Exception):
    """A step that the table does not allow."""

    def __init__(self, before: State, after: State) -> None:
        self.before, self.after = before, after
        super().__init__(f"a job that is {before} cannot become {after}")


def check(before: State, after: State) -> None:
    """Raises NotAllowed if the table does not allow the step."""
    if after not in TRANSITIONS[before]:
        raise NotAllowed(before, after)
