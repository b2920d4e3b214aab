"""What speaks against each contour: plausibility rules, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oarflow.organs import Catalogue
from oarflow.plausibility.rules import assess
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class AssessOperator(Stage):
    """In: intake, segmentations. Out: assessed (overlaps settled, with the rules' flags).

    precedence: organs of which an earlier one keeps what it shares with a later one.
    """

    stage = "assess"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        catalogue: Catalogue,
        precedence: Sequence[str],
        **kwargs: Any,
    ) -> None:
        self.catalogue = catalogue
        self.precedence = tuple(precedence)
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.input("segmentations")
        spec.output("assessed")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        volume = op_input.receive("intake").volume
        segmentations = op_input.receive("segmentations")
        assessed = assess(volume, segmentations, self.catalogue, self.precedence)
        for segmentation in assessed:
            self.journal.record.keep(segmentation)
        op_output.emit(assessed, "assessed")
