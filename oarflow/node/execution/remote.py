"""What runs inside a Dask worker."""

from __future__ import annotations

from typing import Any

from distributed import get_worker

from oarflow.node.execution.order import RunOrder, RunOutcome
from oarflow.node.execution.runner import run

TOPIC = "oarflow"
"""Of the events that signs of life travel by."""


def perform(order: RunOrder) -> RunOutcome:
    """Run the application; tell the node now and then that it lives."""
    worker = get_worker()

    def report(progress: dict[str, Any]) -> None:
        worker.log_event(TOPIC, {"job": order.job_id, "token": order.token, "progress": progress})

    return run(order, report)
