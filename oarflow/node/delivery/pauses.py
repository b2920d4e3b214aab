"""How long to wait before the next attempt: counted in attempts, so that no clock can jump it."""

from __future__ import annotations

from datetime import datetime, timedelta

from oarflow.node.settings.delivery import Retry


def pause_after(attempts: int, retry: Retry, *, longest: bool = False) -> timedelta | None:
    """The pause after so many failed attempts (from 1); None: give up.

    longest: wait as long as is ever waited, since only a person can mend the cause.
    The pauses' sum decides when to give up: neither a night of the node's own nor a clock that
    jumps brings a dead letter about.
    """
    lengths = [_length(number, retry) for number in range(1, attempts + 1)]
    if sum(lengths) > retry.give_up_hours * 3600:
        return None
    return timedelta(seconds=retry.longest_seconds if longest else lengths[-1])


def _length(number: int, retry: Retry) -> float:
    # An exponent that grows for a day would overflow a float.
    return float(
        min(retry.longest_seconds, retry.first_seconds * retry.factor ** min(number - 1, 64))
    )


def due(next_attempt: datetime, now: datetime, retry: Retry) -> bool:
    """Whether its time has come, or it lies further ahead than any pause: the clock went back."""
    return next_attempt <= now or next_attempt - now > timedelta(seconds=2 * retry.longest_seconds)
