"""Progress of a run on standard error: JSON lines for programs, a bar for people."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TextIO

from oarflow.pipeline import Observer
from oarflow.structures import Segmentation


class ProgressKind(StrEnum):
    """How progress is shown. auto: a bar at a terminal, otherwise nothing."""

    AUTO = "auto"
    BAR = "bar"
    JSON = "json"
    NONE = "none"


class Silent:
    """Shows nothing."""

    def stage_started(self, stage: str) -> None:
        pass

    def stage_finished(self, stage: str, seconds: float) -> None:
        pass

    def slices_read(self, done: int, total: int) -> None:
        pass

    def organ_started(self, organ: str, number: int, total: int) -> None:
        pass

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None:
        pass

    def ended(self, exit_status: int) -> None:
        pass


class JsonLines(Silent):
    """One JSON object per line: event is stage, slices, organ or end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def stage_started(self, stage: str) -> None:
        self._say(event="stage", stage=stage, state="started")

    def stage_finished(self, stage: str, seconds: float) -> None:
        self._say(event="stage", stage=stage, state="finished", seconds=round(seconds, 3))

    def slices_read(self, done: int, total: int) -> None:
        self._say(event="slices", done=done, total=total)

    def organ_started(self, organ: str, number: int, total: int) -> None:
        self._say(event="organ", organ=organ, state="started", number=number, total=total)

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None:
        self._say(
            event="organ",
            organ=segmentation.organ,
            state="finished",
            number=number,
            total=total,
            status=str(segmentation.status),
            seconds=round(segmentation.seconds, 3),
        )

    def ended(self, exit_status: int) -> None:
        self._say(event="end", exit_status=exit_status)

    def _say(self, **facts: object) -> None:
        self._stream.write(json.dumps(facts) + "\n")
        self._stream.flush()


class Bar(Silent):
    """A bar of slices, then one of organs."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # takes 0.1 s
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._bar.start()

    def stage_started(self, stage: str) -> None:
        self._bar.update(self._task, description=stage, total=None, completed=0)

    def slices_read(self, done: int, total: int) -> None:
        self._bar.update(self._task, total=total, completed=done)

    def organ_started(self, organ: str, number: int, total: int) -> None:
        self._bar.update(self._task, description=organ, total=total, completed=number - 1)

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None:
        self._bar.update(self._task, completed=number)

    def ended(self, exit_status: int) -> None:
        self._bar.stop()


def make_progress(kind: ProgressKind, stream: TextIO) -> Silent:
    """The observer of a kind."""
    if kind is ProgressKind.JSON:
        return JsonLines(stream)
    if kind is ProgressKind.BAR or (kind is ProgressKind.AUTO and stream.isatty()):
        return Bar(stream)
    return Silent()


_: type[Observer] = Silent
