"""The pause before the next attempt, from the number of attempts and not the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from oarflow.node.settings.delivery import Retry


def pause_after(attempts: int, retry: Retry, *, longest: bool = False) -> timedelta | None:
    """The pause after this many failed attempts (from 1); None to give up.

    longest: use the longest pause, since only a person can remove the cause. The number of attempts
    decides when to give up: after as many as growing pauses need to pass give_up_hours. A stopped
    node or a clock that jumps therefore makes no dead letter.
    """
    lengths = [_length(number, retry) for number in range(1, attempts + 1)]
    if sum(lengths) > retry.give_up_hours * 3600:
        return None
    return timedelta(seconds=retry.longest_seconds if longest else lengths[-1])


def _length(number: int, retry: Retry) -> float:
    # A large exponent would overflow a float.
    return float(
        min(retry.longest_seconds, retry.first_seconds * retry.factor ** min(number - 1, 64))
    )


def due(next_attempt: datetime, now: datetime, retry: Retry) -> bool:
    """Whether an attempt is due, or further ahead than any pause, because the clock went back."""
    return next_attempt <= now or next_attempt - now > timedelta(seconds=2 * retry.longest_seconds)
