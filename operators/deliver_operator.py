"""The last step: all files get their names, result.json comes last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oarflow.writing import Written
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class DeliverOperator(Stage):
    """In: written. deliver: moves the files and writes result.json."""

    stage = "deliver"

    def __init__(
        self, fragment: Any, *args: Any, deliver: Callable[[Written], None], **kwargs: Any
    ) -> None:
        self.deliver = deliver
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("written")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        self.deliver(op_input.receive("written"))
