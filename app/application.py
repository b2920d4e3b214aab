"""The MONAI Deploy application: its graph on one page."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from oarflow.pipeline import Observer, Study, Task, is_needed
from operators.assess_operator import AssessOperator
from operators.deliver_operator import DeliverOperator
from operators.derive_operator import DeriveOperator
from operators.intake_operator import IntakeOperator
from operators.localize_operator import LocalizeOperator
from operators.register_operator import RegisterOperator
from operators.sdk import Application, CountCondition
from operators.segment_operator import SegmentOperator
from operators.stage import PORT, Stage
from operators.write_operator import WriteOperator


class OARflow(Application):  # type: ignore[misc]  # the SDK has no types
    """Contours of the organs at risk of one study.

    intake -> localize -> (register ->) segment -> assess -> (derive ->) write (and self-check)
    -> deliver

    One study passes from operator to operator. `deliver` also receives refused and failed studies
    and records them in result.json. `run` raises ConfigurationError.
    """

    def __init__(
        self, study: Study, task: Task, observer: Observer, deliver: Callable[[Study], None]
    ) -> None:
        self.study = study
        self.task = task
        self.observer = observer
        self.deliver = deliver
        super().__init__()

    def compose(self) -> None:
        """Called by the SDK."""
        task, observer = self.task, self.observer
        kinds: list[type[Stage]] = [
            LocalizeOperator,
            RegisterOperator,
            SegmentOperator,
            AssessOperator,
            DeriveOperator,
            WriteOperator,
        ]
        kinds = [kind for kind in kinds if is_needed(kind.stage, task)]
        chain = [
            IntakeOperator(
                self, CountCondition(self, 1), task=task, observer=observer, study=self.study
            ),
            *(kind(self, task=task, observer=observer) for kind in kinds),
            DeliverOperator(self, deliver=self.deliver),
        ]
        for before, after in pairwise(chain):
            self.add_flow(before, after, {(PORT, PORT)})


def in_graph(
    study: Study, task: Task, observer: Observer, deliver: Callable[[Study], None]
) -> None:
    """Run the chain as a graph of MONAI Deploy."""
    OARflow(study, task, observer, deliver).run()
