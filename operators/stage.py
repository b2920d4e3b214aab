"""What all operators share: the clock, the observer, and the record of what is known so far."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from oarflow.intake import Intake
from oarflow.structures import Segmentation
from oarflow.writing import Written
from operators.sdk import ExecutionContext, InputContext, Operator, OutputContext


class Observer(Protocol):
    """Who is told how far a run has come."""

    def stage_started(self, stage: str) -> None: ...

    def stage_finished(self, stage: str, seconds: float) -> None: ...

    def slices_read(self, done: int, total: int) -> None: ...

    def organ_started(self, organ: str, number: int, total: int) -> None: ...

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None: ...


@dataclass
class Record:
    """What a run knows so far: result.json is made of it, wherever the run ends."""

    stages: dict[str, float] = field(default_factory=dict)
    intake: Intake | None = None
    segmentations: dict[str, Segmentation] = field(default_factory=dict)
    written: Written | None = None

    def keep(self, segmentation: Segmentation) -> None:
        """Note what became of an organ, in place of what was known before."""
        self.segmentations[segmentation.organ] = segmentation


@dataclass(frozen=True)
class Journal:
    """Keeps the record and tells the observer."""

    observer: Observer
    record: Record = field(default_factory=Record)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage, whether it succeeds or not."""
        self.observer.stage_started(name)
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self.record.stages[name] = self.record.stages.get(name, 0.0) + seconds
            self.observer.stage_finished(name, seconds)


class Stage(Operator):  # type: ignore[misc]  # the SDK has no types
    """One operator of the graph, measured. stage: its name in result.json."""

    stage: ClassVar[str]

    def __init__(self, fragment: Any, *args: Any, journal: Journal, **kwargs: Any) -> None:
        self.journal = journal
        super().__init__(fragment, *args, name=self.stage, **kwargs)

    def compute(
        self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext
    ) -> None:
        """Called by the SDK once; an exception stops the graph and comes out of its `run`."""
        with self.journal.stage(self.stage):
            self.work(op_input, op_output)

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        """The operator's own part."""
        raise NotImplementedError
