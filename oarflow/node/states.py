"""Where a job can stand, and the one table of the ways between. The store obeys it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands. A job is one version of one series that a sender sent."""

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
    State.RUNNING: "the application works on it",
    State.REFUSED: "the input is not processed, for the reason that is named",
    State.FAILED: "the application ended wrongly, as often as is allowed",
    State.HELD: "written, but an organ is doubtful: a person decides",
    State.SEGMENTED: "written and proven; the delivery takes over",
    State.DELIVERING: "on its way to at least one destination",
    State.DELIVERED: "every destination has it, or none is configured",
    State.DEAD_LETTER: "given up: a destination was not reached, or nothing was written for it",
    State.CANCELLED: "a person stopped it",
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
"""From each state, those that may follow. RUNNING to QUEUED: the worker was lost, or a further
attempt. Anything to RECEIVED: slices came late. To QUEUED from an end: a person asked again."""

RESTARTABLE = frozenset(state for state, after in TRANSITIONS.items() if State.RECEIVED in after)
"""States in which late slices restart the job; in all others but RECEIVED they make a version."""


class NotAllowed(Exception):
    """A transition that the table does not have."""

    def __init__(self, before: State, after: State) -> None:
        self.before, self.after = before, after
        super().__init__(f"a job that is {before} cannot become {after}")


def check(before: State, after: State) -> None:
    """Raises NotAllowed."""
    if after not in TRANSITIONS[before]:
        raise NotAllowed(before, after)
