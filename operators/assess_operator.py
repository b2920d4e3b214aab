"""What speaks against each contour: plausibility rules, before anything is written."""

from __future__ import annotations

from typing import Any

from oarflow.organs import Catalogue
from oarflow.plausibility.rules import assess
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class AssessOperator(Stage):
    """In: intake, segmentations. Out: assessed (segmentations with the rules' flags)."""

    stage = "assess"

    def __init__(self, fragment: Any, *args: Any, catalogue: Catalogue, **kwargs: Any) -> None:
        self.catalogue = catalogue
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.input("segmentations")
        spec.output("assessed")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        grid = op_input.receive("intake").volume.grid
        assessed = assess(grid, op_input.receive("segmentations"), self.catalogue)
        for segmentation in assessed:
            self.journal.record.keep(segmentation)
        op_output.emit(assessed, "assessed")
