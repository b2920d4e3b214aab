"""The parts that work again and again: what they say when a tick fails, or does not end."""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import pytest

from oarflow.node.assembly.node import Node
from oarflow.node.assembly.worker import Worker
from oarflow.node.commands import run
from tests.oarflow.node.node_bench import settings_at, wait_for


class Stuck(Worker):
    """A worker whose tick waits until it is let go."""

    tick_limit_seconds = 0.3

    def __init__(self) -> None:
        super().__init__(0.05)
        self.go_on = threading.Event()

    def tick(self) -> None:
        self.go_on.wait(30)


class Counting(Worker):
    """A worker whose ticks are a minute apart."""

    def __init__(self) -> None:
        super().__init__(60)
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1


def test_a_woken_worker_begins_its_next_tick_and_stops_at_once() -> None:
    worker = Counting()
    worker.start()
    wait_for(lambda: worker.ticks == 1, 10)
    worker.wake()
    wait_for(lambda: worker.ticks == 2, 10)
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 10
    assert worker.ticks == 2


def test_a_tick_that_does_not_end_is_trouble_until_it_does() -> None:
    worker = Stuck()
    assert worker.trouble() is None
    worker.start()
    try:
        assert "no sign of life" in wait_for(worker.trouble, 10, "the trouble")
        worker.go_on.set()
        wait_for(lambda: worker.trouble() is None, 10, "the end of it")
        assert not worker.stuck()
    finally:
        worker.go_on.set()
        worker.stop()


def test_a_node_with_a_part_that_hangs_for_good_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As by kill -9: what manages the node's process starts it anew."""
    worker = Stuck()

    def begin(node: Node) -> None:
        node._parts.append(worker)
        worker.start()

    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(Node, "start", begin)
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(run.os, "_exit", end)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.setattr(run.gc, "freeze", lambda: None)
    threading.Timer(5, worker.go_on.set).start()
    with pytest.raises(SystemExit) as ended:
        run.main(argparse.Namespace(), settings_at(tmp_path))
    assert ended.value.code == 1
    assert "worker hangs" in caplog.text
