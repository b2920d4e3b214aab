"""Reads the input's files as one CT."""

from __future__ import annotations

from typing import Any

from oarflow.pipeline import Study
from operators.sdk import InputContext, OperatorSpec
from operators.stage import PORT, Stage


class IntakeOperator(Stage):
    """The first operator, without an input. study: the study before its files are read."""

    stage = "intake"

    def __init__(self, fragment: Any, *args: Any, study: Study, **kwargs: Any) -> None:
        self.study = study
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Called by the SDK."""
        spec.output(PORT)

    def given(self, op_input: InputContext) -> Study:
        """The study before its files are read."""
        return self.study
