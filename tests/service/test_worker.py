"""The parts that work again and again: what they say when a tick fails, or does not end."""

from __future__ import annotations

import threading

from service.worker import Worker
from tests.service.node_bench import wait_for


class Stuck(Worker):
    """A worker whose tick waits until it is let go."""

    patience_seconds = 0.3

    def __init__(self) -> None:
        super().__init__(0.05)
        self.go_on = threading.Event()

    def tick(self) -> None:
        self.go_on.wait(30)


def test_a_tick_that_does_not_end_is_trouble_until_it_does() -> None:
    worker = Stuck()
    assert worker.trouble() is None
    worker.start()
    try:
        assert "gives no sign of life" in wait_for(worker.trouble, 10, "the trouble")
        worker.go_on.set()
        wait_for(lambda: worker.trouble() is None, 10, "the end of it")
    finally:
        worker.go_on.set()
        worker.stop()
