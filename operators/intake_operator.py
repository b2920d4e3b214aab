"""A folder's files to one CT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oarflow.intake import Intake
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage

Progress = Callable[[int, int], None]
"""Slices read, slices in all."""


class IntakeOperator(Stage):
    """Out: intake (Intake). Raises Refusal.

    read: reads the folder or the study; is given the progress callback.
    """

    stage = "intake"

    def __init__(
        self, fragment: Any, *args: Any, read: Callable[[Progress], Intake], **kwargs: Any
    ) -> None:
        self.read = read
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.output("intake")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        intake = self.read(self.journal.observer.slices_read)
        self.journal.record.intake = intake
        op_output.emit(intake, "intake")
