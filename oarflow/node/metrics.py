"""Metrics for Prometheus, without patient data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import Database
from oarflow.node.database.deliveries import DeliveryState
from oarflow.node.database.models import Instance, Job, JobDelivery
from oarflow.node.states import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(context: NodeContext) -> bytes:
    """All current metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Node(context))
    return generate_latest(registry)


class _Node(Collector):
    """Collects the metrics from the database, so that they survive a restart."""

    def __init__(self, context: NodeContext) -> None:
        self._database: Database = context.database
        self._root: Path = context.settings.storage.root
        self._trouble: Mapping[str, str | None] = context.health()
        self._destinations = sorted(context.settings.delivery.destinations)

    def describe(self) -> Iterator[Metric]:
        # Otherwise, registering would read the database.
        return iter(())

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as session:
            yield _jobs(session)
            yield _refusals(session)
            yield from _deliveries(session, self._destinations)
            yield from _instances(session)
        yield self._parts()
        yield self._disk()

    def _parts(self) -> Metric:
        family = GaugeMetricFamily("oarflow_part_up", "1 while the part works", labels=["part"])
        for name, trouble in sorted(self._trouble.items()):
            family.add_metric([name], float(trouble is None))
        return family

    def _disk(self) -> Metric:
        name, text = "oarflow_storage_free_bytes", "Free space where received images lie"
        free = shutil.disk_usage(self._root).free if self._root.exists() else 0
        return GaugeMetricFamily(name, text, value=free)


def _jobs(session: Session) -> Metric:
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    counted = {row[0]: row[1] for row in rows}
    family = GaugeMetricFamily("oarflow_jobs", "Jobs by state", labels=["state"])
    for state in State:
        family.add_metric([state.value], counted.get(state, 0))
    return family


def _refusals(session: Session) -> Metric:
    rows = session.execute(
        select(Job.refusal, func.count()).where(Job.refusal != "").group_by(Job.refusal)
    )
    text = "Jobs that were refused, whether or not the reason was delivered"
    family = GaugeMetricFamily("oarflow_refused_jobs", text, labels=["code"])
    for code, count in rows:
        family.add_metric([code], count)
    return family


def _deliveries(session: Session, known: list[str]) -> Iterator[Metric]:
    rows = session.execute(
        select(
            JobDelivery.destination, JobDelivery.state, func.count(), func.sum(JobDelivery.attempts)
        ).group_by(JobDelivery.destination, JobDelivery.state)
    )
    counts, attempts = {}, dict.fromkeys(known, 0)
    for destination, state, count, failed in rows:
        counts[destination, state] = count
        attempts[destination] = attempts.get(destination, 0) + int(failed or 0)
    states = GaugeMetricFamily(
        "oarflow_deliveries", "Deliveries by state", labels=["destination", "state"]
    )
    failures = CounterMetricFamily(
        "oarflow_delivery_failures", "Attempts that failed", labels=["destination"]
    )
    for destination in sorted(attempts):
        for way in DeliveryState:
            states.add_metric([destination, way.value], counts.get((destination, way.value), 0))
        failures.add_metric([destination], attempts[destination])
    yield states
    yield failures


def _instances(session: Session) -> Iterator[Metric]:
    received, size = session.execute(
        select(func.count(), func.coalesce(func.sum(Instance.size), 0))
    ).one()
    kept = session.execute(
        select(func.coalesce(func.sum(Instance.size), 0)).where(Instance.deleted_at.is_(None))
    ).scalar_one()
    yield CounterMetricFamily("oarflow_instances_received", "Instances stored", value=received)
    yield CounterMetricFamily("oarflow_received_bytes", "Bytes stored", value=int(size))
    yield GaugeMetricFamily("oarflow_images_bytes", "Bytes of images kept", value=int(kept))
