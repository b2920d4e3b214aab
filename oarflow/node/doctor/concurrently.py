"""Runs tasks that wait for other systems at the same time, with a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def run_concurrently(
    tasks: Sequence[Callable[[], T]], seconds: float, late: Callable[[int], T]
) -> list[T]:
    """Results of the tasks, in their order, after at most `seconds`.

    late: makes the result of a task, by its index, that has raised or is not done by then. Its
    thread goes on, and does not keep the program from ending.
    """
    found: dict[int, T] = {}

    def work(index: int) -> None:
        found[index] = tasks[index]()

    threads = [
        threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(tasks))
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    done = dict(found)
    return [done[index] if index in done else late(index) for index in range(len(tasks))]
