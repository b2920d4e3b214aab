"""From instances to jobs: when a series is complete, and what late slices, gaps and repeats do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oarflow.node.assembly.node import Node
from oarflow.node.database import deliveries, jobs
from oarflow.node.database.receiving import Origin, Standing
from oarflow.node.series.watcher import SeriesWatcher
from oarflow.node.states import NotAllowed, State
from tests.oarflow.node.node_bench import Bench, ct_slice, uid, wait_for


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, series={"quiet_seconds": 30, "gap_seconds": 600})


def deliver(bench: Bench, job_id: int) -> None:
    """As execution and delivery would."""
    with bench.database.write() as session:
        job = jobs.load(session, job_id)
        jobs.begin(session, job, "test")
        jobs.move(session, job, State.SEGMENTED, "written")
        deliveries.plan(session, job, {"tps": ["RTSTRUCT"]}, "by rule", "node")
        for delivery in job.deliveries:
            deliveries.settle(session, delivery, deliveries.DeliveryState.DELIVERED, "stored")


def test_a_quiet_series_without_a_gap_is_queued(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(29)
    assert bench.job().state is State.RECEIVED
    bench.silence(2)
    assert bench.way() == [State.RECEIVED, State.COMPLETE, State.QUEUED]
    assert bench.reasons()[1] == "12 instances, no gap"
    assert bench.job().epoch is not None


def test_every_slice_that_comes_begins_the_silence_anew(bench: Bench) -> None:
    for k in range(12):
        bench.send(ct_slice("a", k))
        bench.silence(20)
    assert bench.job().state is State.RECEIVED


def test_a_gap_waits_longer_and_is_then_refused_with_its_reason(bench: Bench) -> None:
    bench.send_series("a", [k for k in range(20) if k != 9])
    bench.silence(31)
    bench.silence(500)
    assert bench.job().state is State.RECEIVED
    bench.silence(100)
    job = bench.job()
    assert (job.state, job.refusal) == (State.REFUSED, "MISSING_SLICE")
    assert job.reason == "1 gap in 19 slices (6 mm)"


def test_half_a_series_and_then_silence_is_refused_and_goes_on_when_the_rest_comes(
    bench: Bench,
) -> None:
    """Every other slice of a part is missing; hours later the sender sends the rest."""
    bench.send_series("a", [*range(10), *range(15, 25)])
    bench.silence(601)
    assert bench.job().state is State.REFUSED
    bench.send_series("a", range(10, 15))
    bench.silence(31)
    job = bench.job()
    assert (job.state, job.version, job.refusal) == (State.QUEUED, 1, "")
    assert bench.way()[-3:] == [State.RECEIVED, State.COMPLETE, State.QUEUED]


def test_a_count_that_the_sender_announces_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series={"quiet_seconds": 30, "gap_seconds": 600, "expect_images": True})
    for k in range(11):
        bench.send(ct_slice("a", k, ImagesInAcquisition=12))
    bench.silence(100)
    assert bench.job().state is State.RECEIVED
    bench.send(ct_slice("a", 11, ImagesInAcquisition=12))
    bench.silence(6)  # all are here: no need to wait for the whole silence
    assert bench.job().state is State.QUEUED


def test_a_count_that_is_never_reached_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series={"quiet_seconds": 30, "gap_seconds": 600, "expect_images": True})
    for k in range(11):
        bench.send(ct_slice("a", k, ImagesInAcquisition=12))
    bench.silence(601)
    assert bench.job().reason == "11 of 12 instances arrived"
    assert bench.job().refusal == "MISSING_SLICE"


def test_a_late_slice_restarts_what_is_not_delivered(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    with bench.database.write() as session:
        token = jobs.begin(session, jobs.load(session, 1), "test")
    bench.send(ct_slice("a", 12))
    assert bench.job().state is State.RECEIVED
    with bench.database.write() as session:
        assert jobs.running(session, 1, token) is None  # the old run no longer counts
        assert not jobs.progressed(session, 1, token, {})
    before = bench.job().digest
    bench.silence(31)
    assert bench.job().state is State.QUEUED
    assert bench.job().digest != before


def test_a_late_slice_after_delivery_makes_a_new_version(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    deliver(bench, 1)
    bench.send(ct_slice("a", 12))
    bench.silence(31)
    first, second = bench.jobs()
    assert (first.state, first.version) == (State.DELIVERED, 1)
    assert (second.state, second.version) == (State.QUEUED, 2)
    assert bench.reasons(2)[0] == "an instance arrived after version 1 was delivered"


def test_the_same_series_again_does_not_run_twice(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    deliver(bench, 1)
    for k in range(12):
        assert bench.send(ct_slice("a", k)) is Standing.IDENTICAL
    bench.silence(31)
    assert bench.job().state is State.DELIVERED
    assert len(bench.instances()) == 12


def test_its_result_is_sent_again_where_that_is_configured(tmp_path: Path) -> None:
    bench = Bench(tmp_path, series={"resend_result": True})
    bench.send_series("a", range(12))
    bench.silence(5)
    deliver(bench, 1)
    bench.send_series("a", range(5))
    bench.silence(5)
    assert bench.job().state is State.DELIVERED  # a part of it is no wish for the result
    bench.send_series("a", range(12))
    bench.silence(5)
    assert bench.job().state is State.DELIVERING
    assert bench.reasons()[-1] == "the series was sent again"


def test_a_failed_series_that_is_sent_again_is_tried_again(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    with bench.database.write() as session:
        jobs.move(session, jobs.load(session, 1), State.FAILED, "exit status 1")
    bench.send_series("a", range(12))
    bench.silence(31)
    assert bench.job().state is State.QUEUED


def test_the_same_uid_with_other_content_is_kept_apart_and_refused(bench: Bench) -> None:
    bench.send_series("a", range(12))
    assert bench.send(ct_slice("a", 5, value=1000)) is Standing.CONFLICT
    bench.silence(31)
    job = bench.job()
    assert (job.state, job.refusal) == (State.REFUSED, "DUPLICATE_CONFLICT")
    both = [one for one in bench.instances() if one.sop_instance_uid == uid("a", 5)]
    assert [one.conflict for one in both] == [False, True]
    assert len({one.path for one in both}) == 2
    root = bench.settings.storage.root
    assert (root / both[0].path).read_bytes() != (root / both[1].path).read_bytes()


def test_other_content_after_delivery_is_a_version_that_is_refused(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    deliver(bench, 1)
    bench.send(ct_slice("a", 5, value=1000))
    bench.silence(31)
    assert [job.state for job in bench.jobs()] == [State.DELIVERED, State.REFUSED]


def test_a_refused_study_is_run_again_where_a_person_asks(bench: Bench) -> None:
    """REFUSED to QUEUED; its report is delivered, by a rule, from the same state."""
    bench.send_series("a", [k for k in range(20) if k != 9])
    bench.silence(601)
    with bench.database.write() as session:
        job = jobs.load(session, 1)
        assert job.state is State.REFUSED
        jobs.retry(session, job, "jane")
    job = bench.job()
    assert (job.state, job.refusal, job.attempts) == (State.QUEUED, "", 0)
    with bench.database.write() as session:
        job = jobs.load(session, 1)
        jobs.refuse(session, job, "MISSING_SLICE", "the application says so, too")
        deliveries.plan(session, job, {"tps": ["ENCAPSULATED_PDF"]}, "by rule", "node")
    assert bench.way()[-3:] == [State.QUEUED, State.REFUSED, State.DELIVERING]


def test_a_refusal_that_was_delivered_is_judged_anew_as_a_version(bench: Bench) -> None:
    """What was delivered stays as it is; only the newest version may be asked for."""
    bench.send_series("a", range(12))
    bench.silence(31)
    with bench.database.write() as session:
        job = jobs.load(session, 1)
        jobs.refuse(session, job, "NOT_HEAD_AND_NECK", "as the application says")
        deliveries.plan(session, job, {"tps": ["ENCAPSULATED_PDF"]}, "by rule", "node")
        deliveries.settle(session, job.deliveries[0], deliveries.DeliveryState.DELIVERED, "stored")
        assert job.state is State.DELIVERED
        jobs.retry(session, job, "jane")
    with bench.database.write() as session, pytest.raises(NotAllowed):
        jobs.retry(session, jobs.load(session, 1), "jane")
    bench.silence(31)
    first, second = bench.jobs()
    assert (first.state, first.refusal) == (State.DELIVERED, "NOT_HEAD_AND_NECK")
    assert (second.version, second.state, second.refusal) == (2, State.QUEUED, "")
    with bench.database.read() as session:
        assert jobs.load(session, 2).steps[0].actor == "jane"


def test_contours_that_were_delivered_are_not_run_again(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(31)
    deliver(bench, 1)
    with bench.database.write() as session, pytest.raises(NotAllowed):
        jobs.retry(session, jobs.load(session, 1), "jane")


def test_interleaved_studies_of_two_senders_are_kept_apart(bench: Bench) -> None:
    for k in range(12):
        bench.send(ct_slice("a", k), Origin("ONE"))
        bench.send(ct_slice("b", k), Origin("TWO"))
    bench.silence(31)
    assert [job.state for job in bench.jobs()] == [State.QUEUED, State.QUEUED]
    with bench.database.read() as session:
        for job_id, study, caller in ((1, "a", "ONE"), (2, "b", "TWO")):
            series = jobs.load(session, job_id).series
            assert (series.study.study_uid, series.study.calling_ae) == (uid(study), caller)
            assert {one.sop_instance_uid for one in series.instances} == {
                uid(study, k) for k in range(12)
            }


def test_mr_is_kept_and_not_contoured(bench: Bench) -> None:
    bench.send(ct_slice("a", 0, Modality="MR"))
    bench.silence(31)
    assert bench.jobs() == []
    assert len(bench.instances()) == 1


def test_a_clock_that_jumps_neither_hurries_nor_holds_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of day leaps by years and back while slices arrive: only silence counts."""
    leaps = iter([2_000_000_000.0, 0.0] * 1000)
    bench.send_series("a", range(6))
    monkeypatch.setattr(time, "time", lambda: next(leaps))
    bench.silence(10)
    assert bench.job().state is State.RECEIVED
    bench.send_series("a", range(6, 12))
    bench.silence(31)
    assert bench.job().state is State.QUEUED


def test_after_a_restart_the_silence_is_waited_for_again(bench: Bench) -> None:
    bench.send_series("a", range(12))
    bench.silence(29)
    bench.watcher = SeriesWatcher(bench.settings, bench.database, bench.clock)
    bench.silence(29)
    assert bench.job().state is State.RECEIVED
    bench.silence(2)
    assert bench.job().state is State.QUEUED


def test_images_that_were_deleted_are_asked_for_again(bench: Bench) -> None:
    """A late slice after housekeeping: the rest must come again before anything runs."""
    bench.send_series("a", range(12))
    bench.silence(31)
    deliver(bench, 1)
    root = bench.settings.storage.root
    with bench.database.write() as session:
        for one in jobs.load(session, 1).series.instances:
            one.deleted_at = one.received_at
            (root / one.path).unlink()
    bench.send(ct_slice("a", 12))
    bench.silence(100)
    assert bench.jobs()[1].state is State.RECEIVED
    bench.send_series("a", range(12))
    bench.silence(31)
    assert bench.jobs()[1].state is State.QUEUED
    assert all((root / one.path).is_file() for one in bench.instances())


class Part:
    """A part of the node that does nothing, and at its start what it is given."""

    def __init__(self, name: str, at_start: Callable[[], object] = bool) -> None:
        self.name = name
        self.start = at_start

    def stop(self) -> None:
        pass

    def trouble(self) -> None:
        pass


def test_silence_is_counted_from_when_the_node_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart a sender has its time to go on, however long the node takes to start."""
    bench = Bench(tmp_path, series={"quiet_seconds": 0.2, "gap_seconds": 1})
    bench.send_series("a", range(6))
    seen: list[State] = []

    def start_slowly() -> None:
        time.sleep(1.5)
        seen.append(bench.job().state)

    monkeypatch.setattr("oarflow.node.assembly.node.other_parts", lambda _: [])
    node = Node(bench.settings)
    node.open()
    monkeypatch.setattr(node, "executor", Part("execution"))
    monkeypatch.setattr(node, "listener", Part("listener", start_slowly))
    node.start()
    try:
        wait_for(lambda: bench.job().state is State.QUEUED, what="the series' end")
    finally:
        node.close()
    assert seen == [State.RECEIVED]
