"""Plans the delivery of a finished job from its results and the rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from oarflow import result
from oarflow.node.database import deliveries, jobs
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.database.models import Job
from oarflow.node.delivery.outgoing import Altered
from oarflow.node.delivery.rules import RoutingAttributes, destinations
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State

REFUSAL = "REFUSAL"
"""The kind of a PDF with the reason of a refused study."""


def routing_attributes(job: Job) -> RoutingAttributes:
    """The attributes of a job that rules match."""
    series = job.series
    return RoutingAttributes(
        calling_ae=series.study.calling_ae,
        station=series.station_name,
        study_description=series.study.description,
        series_description=series.description,
    )


def read_result(root: Path, job: Job) -> result.ResultDocument:
    """The job's result.json. Raises Altered."""
    try:
        content = (root / job.output / result.FILE_NAME).read_bytes()
        return result.read_document(content)
    except OSError as error:
        raise Altered("the job's result.json cannot be read") from error
    except result.ResultError as error:
        raise Altered(f"the job's result.json cannot be used: {error}") from error


def wanted(settings: NodeSettings, job: Job) -> dict[str, list[str]]:
    """Kinds of written objects, by destination.

    If none was written, or the results cannot be read, all kinds that the destination gets: the
    attempt then ends in a dead letter with that reason.
    """
    names = destinations(settings.delivery, routing_attributes(job))
    known = settings.delivery.destinations
    if job.state is State.REFUSED:
        return {name: [REFUSAL] for name in names if known[name].refusals}
    try:
        written = {output.kind for output in read_result(settings.storage.root, job).outputs}
    except Altered:
        return {name: [*known[name].objects] for name in names}
    found: dict[str, list[str]] = {}
    for name in names:
        taken = known[name].objects
        found[name] = [kind for kind in taken if kind in written] or [*taken]
    return found


def lacking(settings: NodeSettings, kinds: Mapping[str, Sequence[str]]) -> list[str]:
    """For each destination in words, the kinds that it should get and that were not written."""
    known = settings.delivery.destinations
    said = []
    for name, chosen in kinds.items():
        missing = [kind for kind in known[name].objects if kind not in chosen]
        if missing and list(chosen) != [REFUSAL]:
            said.append(f"{name} gets no {', '.join(missing)}: not written")
    return said


def begin(session: Session, settings: NodeSettings, job: Job, reason: str, actor: str) -> None:
    """Begin a job's delivery, also when a person releases a held job. Raises NotAllowed."""
    kinds = wanted(settings, job)
    missing = lacking(settings, kinds)
    deliveries.plan(session, job, kinds, "; ".join([reason, *missing]), actor)
    for words in missing:
        log_on_commit(session, logging.WARNING, "job %s: %s", job.key, words)


def begin_all(session: Session, settings: NodeSettings) -> int:
    """Begin every delivery that waits for no person. Returns how many."""
    begun = 0
    for job in jobs.in_state(session, State.SEGMENTED):
        begin(session, settings, job, "the delivery begins", jobs.NODE)
        begun += 1
    if any(destination.refusals for destination in settings.delivery.destinations.values()):
        for job in jobs.in_state(session, State.REFUSED):
            if wanted(settings, job):
                begin(session, settings, job, "the delivery of the reason begins", jobs.NODE)
                begun += 1
    return begun
