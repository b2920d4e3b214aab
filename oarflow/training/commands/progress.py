"""The progress bar of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from oarflow.training.fitting.loop import ProgressCallback


@contextmanager
def progress(name: str, steps: int) -> Iterator[ProgressCallback]:
    """A bar for people: the steps done, the loss, the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    loss = TextColumn("loss {task.fields[loss]:.3f}")
    with Progress(*columns, loss, TimeRemainingColumn()) as bar:
        task = bar.add_task(name, total=steps, loss=float("nan"))
        yield lambda step, value: bar.update(task, completed=step, loss=value)
