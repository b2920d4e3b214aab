"""Segmentations to proven DICOM files, under names that nobody exports yet."""

from __future__ import annotations

from typing import Any

from oarflow.writing import WritePlan, write_proved
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class WriteOperator(Stage):
    """In: intake, segmentations. Out: written (Written). Raises Refusal and Fault."""

    stage = "write"

    def __init__(self, fragment: Any, *args: Any, plan: WritePlan, **kwargs: Any) -> None:
        self.plan = plan
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.input("segmentations")
        spec.output("written")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        intake = op_input.receive("intake")
        segmentations = op_input.receive("segmentations")
        update = self.journal.record.keep
        written = write_proved(intake.volume, intake.paths, segmentations, self.plan, update)
        self.journal.record.written = written
        op_output.emit(written, "written")
