"""What the log says of jobs: after the commit, under one name, once."""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from oarflow.node.database import deliveries, jobs
from oarflow.node.database.commit_log import log_on_commit
from oarflow.node.states import State
from tests.oarflow.node.execution.test_execution import Shop
from tests.oarflow.node.node_bench import Bench


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [one.getMessage() for one in caplog.records if word in one.getMessage()]


def test_what_is_not_committed_is_not_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    caplog.set_level(logging.INFO)
    with contextlib.suppress(ZeroDivisionError), bench.database.write() as session:
        log_on_commit(session, logging.INFO, "never")
        raise ZeroDivisionError
    with bench.database.write() as session:
        log_on_commit(session, logging.INFO, "never")
        session.rollback()
    with bench.database.write() as session:
        log_on_commit(session, logging.INFO, "%s", "then")
        assert caplog.messages == []
    assert caplog.messages == ["then"]


def test_a_job_whose_commit_fails_is_not_called_queued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty commits fail, as they do while a disk is full; the one that succeeds has a line."""
    bench = Bench(tmp_path)
    bench.send_series("a", range(4))
    caplog.set_level(logging.INFO)
    left = [20]

    def full(connection: Any) -> None:
        if left[0] and connection.get_execution_options().get("oarflow_write"):
            left[0] -= 1
            raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    event.listen(bench.database.engine, "commit", full)
    bench.watcher.attempt()
    bench.clock.seconds += 1000
    for _ in range(40):
        bench.watcher.attempt()
    event.remove(bench.database.engine, "commit", full)
    assert bench.job().state is State.QUEUED
    assert lines(caplog, "queued") == [f"job {bench.job().key} is queued: waits for a worker"]


def test_a_job_has_one_name_and_each_step_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From the first instance to two destinations, and a person who asks for it again."""
    caplog.set_level(logging.INFO)
    shop = Shop(tmp_path)
    shop.queue()
    shop.run()
    database = shop.bench.database
    with database.write() as session:
        job = jobs.load(session, 1)
        kinds = {"tps": ["RTSTRUCT"], "archive": ["RTSTRUCT"]}
        deliveries.plan(session, job, kinds, "the delivery begins", jobs.NODE)
        for delivery in job.deliveries:
            delivery.state = deliveries.DeliveryState.SENDING
    with database.write() as session:
        for delivery in list(jobs.load(session, 1).deliveries):
            deliveries.settle(session, delivery, deliveries.DeliveryState.DELIVERED, "delivered")
    key = shop.bench.job().key
    said = lines(caplog, "job ")
    assert all(re.match(rf"job {key} ", line) for line in said)
    assert sorted(lines(caplog, "delivered")) == [
        f"job {key} is delivered to archive",
        f"job {key} is delivered to tps",
    ]
    states = [line.split(" is ")[1].split(":")[0] for line in said if ":" in line]
    assert states == ["received", "complete", "queued", "running", "segmented", "delivering"]


def test_a_delivery_to_nobody_has_a_line_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shop = Shop(tmp_path)
    shop.queue()
    shop.run()
    with shop.bench.database.write() as session:
        deliveries.plan(session, jobs.load(session, 1), {}, "the delivery begins", jobs.NODE)
    (line,) = lines(caplog, "delivered")
    assert line == f"job {shop.bench.job().key} is delivered: no rule names a destination for it"
