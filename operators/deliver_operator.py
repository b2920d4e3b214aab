"""The last step: result.json and the checked files get their final names in the output folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oarflow.pipeline import Study
from operators.sdk import ExecutionContext, InputContext, Operator, OperatorSpec, OutputContext
from operators.stage import PORT


class DeliverOperator(Operator):  # type: ignore[misc]  # the SDK has no types
    """In: study, also a refused or failed one. deliver: writes its results into OUT."""

    def __init__(
        self, fragment: Any, *args: Any, deliver: Callable[[Study], None], **kwargs: Any
    ) -> None:
        self.deliver = deliver
        super().__init__(fragment, *args, name="deliver", **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Called by the SDK."""
        spec.input(PORT)

    def compute(
        self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext
    ) -> None:
        """Called by the SDK once. Raises ConfigurationError where OUT cannot be written."""
        self.deliver(op_input.receive(PORT))
