"""Processor time by kind of work."""

from __future__ import annotations

import pytest

from oarflow.evaluation.benchmarks.profile import (
    KINDS,
    REST,
    START,
    MachineLimit,
    Stopwatch,
    page,
    watched,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nested_work_counts_once() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    clock.now = 1
    with watch.kind("rules"):
        clock.now = 3
        with watch.kind("convolution"):
            clock.now = 7
        clock.now = 8
    clock.now = 10
    watch.stop()
    assert watch.seconds == {REST: 3, "rules": 3, "convolution": 4}


def test_work_that_fails_is_counted_and_ends() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def broken() -> None:
        clock.now = 2
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), watch.kind("decoding"):
        broken()
    clock.now = 5
    watch.stop()
    assert watch.seconds == {REST: 3, "decoding": 2}


def test_every_function_is_there_and_is_put_back() -> None:
    from oarflow.networks.backend import TorchScriptNetwork

    before = TorchScriptNetwork.probabilities
    with watched(Stopwatch()):
        assert TorchScriptNetwork.probabilities is not before
    assert TorchScriptNetwork.probabilities is before


def test_the_page_shows_shares_and_ratios() -> None:
    seconds = {START: 1.0, "convolution": 4.0, "reading files and headers": 0.5, REST: 4.5}
    text = page(seconds, MachineLimit(2e11, 1e11, 10**8, 0.25))
    assert "| convolution | 4.00 | 40% |" in text
    assert "| **all** | **10.00** |" in text
    assert "| convolution | 4.00 | 2.00 | 2.0 |" in text
    assert "| reading files and headers | 0.50 | 0.25 | 2.0 |" in text
    assert "80% of the processor time" in text
    assert all(f"| {kind} |" in text for kind in KINDS)
