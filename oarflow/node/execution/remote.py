"""The function that a Dask worker runs."""

from __future__ import annotations

from typing import Any

from distributed import get_worker

from oarflow.node.execution.order import RunOrder, RunOutcome
from oarflow.node.execution.runner import run

TOPIC = "oarflow"
"""Topic of Dask events with heartbeats."""


def perform(order: RunOrder) -> RunOutcome:
    """Run the application, and send heartbeats to the node."""
    worker = get_worker()

    def report(progress: dict[str, Any]) -> None:
        worker.log_event(TOPIC, {"job": order.job_id, "token": order.token, "progress": progress})

    return run(order, report)
