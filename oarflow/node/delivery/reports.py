"""Lets the listener accept storage commitment reports."""

from __future__ import annotations

from functools import partial
from typing import Any

from pynetdicom import evt

from oarflow.node.database import Database, deliveries
from oarflow.node.delivery.commitment import CommitmentReport, answer_report, offer
from oarflow.node.delivery.pauses import pause_after
from oarflow.node.listener.server import Extension
from oarflow.node.settings.delivery import Retry


def commitment(database: Database, retry: Retry) -> Extension:
    """Record the reports of peers. retry: pauses before objects are sent again."""

    def reported(report: CommitmentReport) -> None:
        with database.write() as session:
            deliveries.committed(
                session,
                report.transaction_uid,
                report.kept,
                report.lacking,
                partial(pause_after, retry=retry),
            )

    def handle(event: Any) -> Any:
        return answer_report(event, reported)

    return Extension(offer, evt.EVT_N_EVENT_REPORT, handle)
