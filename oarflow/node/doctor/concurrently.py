"""What waits for others, done side by side, and none of it for longer than a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def run_concurrently(
    tasks: Sequence[Callable[[], T]], seconds: float, late: Callable[[int], T]
) -> list[T]:
    """The tasks' results in their order, after at most so many seconds.

    late: the result of a task, by its index, that is not done by then or that raised. What still
    runs is left to itself, and keeps no program from ending.
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
