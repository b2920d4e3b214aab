"""The base of the operators: receive a study, run one step of the chain, emit the study."""

from __future__ import annotations

from typing import Any, ClassVar

from oarflow.pipeline import Observer, Study, Task, carry_out
from operators.sdk import ExecutionContext, InputContext, Operator, OperatorSpec, OutputContext

PORT = "study"
"""Name of every operator's input and output."""


class Stage(Operator):  # type: ignore[misc]  # the SDK has no types
    """In: study. Out: study, with what the step found. stage: the step's name in result.json."""

    stage: ClassVar[str]

    def __init__(
        self, fragment: Any, *args: Any, task: Task, observer: Observer, **kwargs: Any
    ) -> None:
        self.task = task
        self.observer = observer
        super().__init__(fragment, *args, name=self.stage, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Called by the SDK."""
        spec.input(PORT)
        spec.output(PORT)

    def compute(
        self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext
    ) -> None:
        """Called by the SDK once. Raises ConfigurationError, which leaves the graph."""
        op_output.emit(self.advanced(self.given(op_input)), PORT)

    def given(self, op_input: InputContext) -> Study:
        """The study from the previous operator."""
        study: Study = op_input.receive(PORT)
        return study

    def advanced(self, study: Study) -> Study:
        """The study after this operator's step."""
        return carry_out(self.stage, study, self.task, self.observer)
