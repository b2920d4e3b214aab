"""One look at the whole CT: where is which organ?"""

from __future__ import annotations

from typing import Any

from oarflow.localize import localize
from oarflow.networks.store import ModelStore
from oarflow.placing import with_placed
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.priors import load_priors
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
        localizations = localize(intake.volume, self.store)
        require_head_and_neck(
            localizations,
            intake.volume,
            lambda turned: localize(turned, self.store),
            self.store.sure_score,
        )
        complete = with_placed(
            intake.volume.grid, localizations, self.store.localized_organs, load_priors()
        )
        op_output.emit(complete, "localizations")
