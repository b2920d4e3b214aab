"""Silence is counted while somebody listens."""

from __future__ import annotations

from oarflow.node.execution.heartbeats import MOST_BETWEEN_LOOKS, Pulse


def test_silence_is_counted_from_the_last_change() -> None:
    moment = [0.0]
    pulse: Pulse[str] = Pulse(lambda: moment[0])
    assert pulse.look({"a": 1, "b": 1}) == {"a": 0, "b": 0}
    moment[0] = 2
    assert pulse.look({"a": 1, "b": 2}) == {"a": 2, "b": 0}
    moment[0] = 5
    assert pulse.look({"a": 1, "b": 2, "c": 1}) == {"a": 5, "b": 3, "c": 0}
    assert pulse.look({"b": 2}) == {"b": 3}
    assert pulse.look({"a": 1}) == {"a": 0}  # one that was away begins anew


def test_time_in_which_nobody_looked_does_not_count_whole() -> None:
    """A node that was paused for an hour finds nobody silent for an hour."""
    moment = [0.0]
    pulse: Pulse[str] = Pulse(lambda: moment[0])
    pulse.look({"a": 1})
    moment[0] = 3600
    assert pulse.look({"a": 1}) == {"a": MOST_BETWEEN_LOOKS}
