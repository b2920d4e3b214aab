"""One look at the whole CT: where is which organ?"""

from __future__ import annotations

from typing import Any

from oarflow.networks.store import ModelStore
from oarflow.placing import find_organs
from oarflow.plausibility.anatomy import require_head_and_neck
from operators.sdk import InputContext, OperatorSpec, OutputContext
from operators.stage import Stage


class LocalizeOperator(Stage):
    """In: intake. Out: localizations (Localization by organ). Raises Refusal."""

    stage = "localize"

    def __init__(self, fragment: Any, *args: Any, store: ModelStore, **kwargs: Any) -> None:
        self.store = store
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("intake")
        spec.output("localizations")

    def work(self, op_input: InputContext, op_output: OutputContext) -> None:
        intake = op_input.receive("intake")
        localizations = find_organs(intake.volume, self.store)
        require_head_and_neck(
            localizations,
            intake.volume,
            lambda turned: find_organs(turned, self.store),
            self.store.sure_score,
        )
        op_output.emit(localizations, "localizations")
