"""What the listener takes beside images: peers report what they keep (storage commitment)."""

from __future__ import annotations

from typing import Any

from pynetdicom import evt

from oarflow.node.database import Database, deliveries
from oarflow.node.delivery.commitment import CommitmentReport, answer_report, offer
from oarflow.node.listener.server import Extension


def commitment(database: Database) -> Extension:
    """Write down what a peer reports."""

    def reported(report: CommitmentReport) -> None:
        with database.write() as session:
            deliveries.committed(session, report.transaction_uid, report.kept, report.lacking)

    def handle(event: Any) -> Any:
        return answer_report(event, reported)

    return Extension(offer, evt.EVT_N_EVENT_REPORT, handle)
