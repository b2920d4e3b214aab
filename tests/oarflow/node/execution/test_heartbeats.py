"""Silence is counted while somebody listens."""

from __future__ import annotations

from oarflow.node.execution.heartbeats import MAX_ADDED_SECONDS, SilenceMonitor


def test_silence_is_counted_from_the_last_change() -> None:
    moment = [0.0]
    monitor: SilenceMonitor[str] = SilenceMonitor(lambda: moment[0])
    assert monitor.look({"a": 1, "b": 1}) == {"a": 0, "b": 0}
    moment[0] = 2
    assert monitor.look({"a": 1, "b": 2}) == {"a": 2, "b": 0}
    moment[0] = 5
    assert monitor.look({"a": 1, "b": 2, "c": 1}) == {"a": 5, "b": 3, "c": 0}
    assert monitor.look({"b": 2}) == {"b": 3}
    assert monitor.look({"a": 1}) == {"a": 0}  # one that was away begins anew


def test_time_in_which_nobody_looked_does_not_count_whole() -> None:
    """A node that was paused for an hour finds nobody silent for an hour."""
    moment = [0.0]
    monitor: SilenceMonitor[str] = SilenceMonitor(lambda: moment[0])
    monitor.look({"a": 1})
    moment[0] = 3600
    assert monitor.look({"a": 1}) == {"a": MAX_ADDED_SECONDS}
