"""Cases read in threads: the next ones come from the disk while one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def each(
    ids: Sequence[str], function: Callable[[str], T], *, workers: int = 2
) -> Iterator[tuple[str, T]]:
    """Yield each id with what `function` makes of it, in the order of the ids.

    No more than `workers` results wait besides the one yielded: another is begun when one was
    taken, so that a large data set never lies in memory whole. What the function raises is raised
    here, when its turn comes.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    waiting = iter(ids)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[tuple[str, Future[T]]] = deque()

        def start(count: int) -> None:
            running.extend((one, pool.submit(function, one)) for one in islice(waiting, count))

        start(workers)
        try:
            while running:
                one, future = running.popleft()
                result = future.result()
                start(1)
                yield one, result
        finally:
            for _, future in running:
                future.cancel()
