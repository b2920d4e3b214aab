"""What is deleted, and what never is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import jobs
from oarflow.node.database.deliveries import DeliveryState
from oarflow.node.database.models import Job, JobDelivery, Period, Series, now
from oarflow.node.housekeeping.ages import Ages
from oarflow.node.housekeeping.housekeeper import Housekeeper
from oarflow.node.states import State
from tests.oarflow.node.delivery import bench

FOR_EVER = 10_000


def house(tmp_path: Path, **settings: Any) -> NodeContext:
    """A node that has been running for a very long time."""
    context = bench.make_context(
        tmp_path, housekeeping=settings, delivery=bench.to_folder(tmp_path / "share")
    )
    with context.database.write() as session:
        session.add(Period(begun_at=now() - timedelta(hours=2 * FOR_EVER), seen_at=now()))
    return context


def age(
    context: NodeContext, job_id: int, state: State, hours: float, *, arrived: bool = True
) -> None:
    """A job that has stood in a state for so long. arrived: delivered means to a destination."""
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        job.state, job.state_at = state, now() - timedelta(hours=hours)
        if state is State.DELIVERED and arrived and not job.deliveries:
            sent = {"2.25.1": "a" * 64}
            session.add(
                JobDelivery(job=job, destination="share", state=DeliveryState.DELIVERED, sent=sent)
            )


def images(context: NodeContext, job_id: int) -> list[bool]:
    """Whether each received file is there; the rows say the same."""
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        rows = job.series.instances
        there = [(context.settings.storage.root / one.path).exists() for one in rows]
        assert [one.deleted_at is None for one in rows] == there
        return there


def results(context: NodeContext, job_id: int) -> bool:
    job = bench.look(context, job_id)
    return bool(job.output) and (context.settings.storage.root / job.output).exists()


@pytest.mark.parametrize("state", list(State))
def test_nothing_goes_before_it_was_delivered(tmp_path: Path, state: State) -> None:
    """Whatever the age, with the shortest times that can be set, and far over the quota.

    Delivered to nobody is not delivered.
    """
    context = house(tmp_path, images_hours=0, results_days=0, ended_days=None, quota_gb=1e-9)
    job_id = bench.add_job(context)
    age(context, job_id, state, FOR_EVER, arrived=False)
    keeper = Housekeeper(context)
    keeper.tick()
    assert images(context, job_id) == [True, True]
    assert keeper.trouble() is not None
    assert results(context, job_id), "it was sent nowhere: this is the only copy"


def test_a_delivery_of_nothing_is_none(tmp_path: Path) -> None:
    """What an older program wrote for a destination whose objects were not written."""
    context = house(tmp_path, images_hours=0, results_days=0, quota_gb=1e-9)
    job_id = bench.add_job(context)
    age(context, job_id, State.DELIVERED, FOR_EVER, arrived=False)
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        session.add(
            JobDelivery(job=job, destination="share", state=DeliveryState.DELIVERED, sent={})
        )
    Housekeeper(context).tick()
    assert images(context, job_id) == [True, True]
    assert results(context, job_id)


@pytest.mark.parametrize(("days", "kept"), [(9, True), (11, False)])
def test_what_has_no_destination_goes_only_where_that_is_set(
    tmp_path: Path, days: float, kept: bool
) -> None:
    context = house(tmp_path, images_hours=0, undelivered_days=10)
    job_id = bench.add_job(context)
    age(context, job_id, State.DELIVERED, days * 24, arrived=False)
    Housekeeper(context).tick()
    assert images(context, job_id) == [kept, kept]
    assert results(context, job_id)


def mr_series(context: NodeContext, days: float) -> int:
    """A series without a job, quiet for so long: its id."""
    job_id = bench.add_job(context)
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        series = job.series
        series.modality, series.last_received_at = "MR", now() - timedelta(days=days)
        for step in job.steps:
            session.delete(step)
        session.flush()
        session.delete(job)
        return series.id


@pytest.mark.parametrize(("days", "set_to", "kept"), [(29, 30, 2), (31, 30, 0), (3000, None, 2)])
def test_what_has_no_job_goes_by_a_setting_of_its_own(
    tmp_path: Path, days: float, set_to: float | None, kept: int
) -> None:
    context = house(tmp_path, others_days=set_to)
    series_id = mr_series(context, days)
    Housekeeper(context).tick()
    with context.database.read() as session:
        rows = session.get_one(Series, series_id).instances
        assert sum(one.deleted_at is None for one in rows) == kept
        assert sum((context.settings.storage.root / one.path).exists() for one in rows) == kept


class Clocks:
    """Both of the keeper's clocks; the wall's can be set, time goes on for both."""

    def __init__(self) -> None:
        self.wall, self.steady = now(), 1000.0

    def ages(self, context: NodeContext) -> Ages:
        return Ages(context.database, lambda: self.wall, lambda: self.steady)

    def live(self, keeper: Housekeeper, hours: float) -> None:
        """The node runs for so long."""
        self.wall += timedelta(hours=hours)
        self.steady += 3600 * hours
        keeper.tick()


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("state", [State.DELIVERED, State.REFUSED, State.FAILED])
def test_a_clock_that_jumps_deletes_nothing(tmp_path: Path, state: State, off: bool) -> None:
    """A month forward, while the node runs or while it is off; then all takes its full time."""
    context = house(tmp_path, images_hours=24, ended_days=1)
    job_id = bench.add_job(context)
    age(context, job_id, state, 0)
    clocks = Clocks()
    keeper = Housekeeper(context, clocks.ages(context))
    keeper.tick()
    clocks.live(keeper, 12)
    clocks.wall += timedelta(days=31)
    if off:
        keeper = Housekeeper(context, clocks.ages(context))
    keeper.tick()
    assert images(context, job_id) == [True, True]
    clocks.live(keeper, 11)
    assert images(context, job_id) == [True, True]
    clocks.live(keeper, 2)
    assert images(context, job_id) == [False, False]


def test_a_clock_that_is_set_back_deletes_nothing_early(tmp_path: Path) -> None:
    """A month back: what is lived through twice counts once."""
    context = house(tmp_path, ended_days=3)
    job_id = bench.add_job(context)
    clocks = Clocks()
    clocks.wall -= timedelta(days=31)
    keeper = Housekeeper(context, clocks.ages(context))
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        job.state, job.state_at = State.FAILED, clocks.wall
    clocks.live(keeper, 70)
    assert images(context, job_id) == [True, True]
    clocks.live(keeper, 3)
    assert images(context, job_id) == [False, False]


def test_an_empty_node_stays_empty(tmp_path: Path) -> None:
    """A back-up is restored into it."""
    context = bench.make_context(tmp_path)
    Housekeeper(context).tick()
    with context.database.read() as session:
        assert session.scalars(select(Period)).all() == []


@pytest.mark.parametrize(("hours", "kept"), [(71, True), (73, False)])
def test_images_go_a_set_time_after_delivery(tmp_path: Path, hours: float, kept: bool) -> None:
    context = house(tmp_path)
    job_id = bench.add_job(context)
    age(context, job_id, State.DELIVERED, hours)
    inner = context.settings.storage.root / "jobs" / str(job_id) / "token" / "in"
    inner.mkdir(parents=True)
    (inner / "ct.dcm").write_bytes(b"a second name of the image")
    Housekeeper(context).tick()
    assert images(context, job_id) == [kept, kept]
    assert inner.exists() is kept


def test_a_version_under_way_keeps_the_series(tmp_path: Path) -> None:
    context = house(tmp_path, images_hours=0)
    job_id = bench.add_job(context)
    age(context, job_id, State.DELIVERED, FOR_EVER)
    with context.database.write() as session:
        series_id = session.get_one(Job, job_id).series_id
        jobs.create(session, series_id, 2, "a slice came late")
    Housekeeper(context).tick()
    assert images(context, job_id) == [True, True]


def test_results_go_later_and_only_where_they_were_sent(tmp_path: Path) -> None:
    context = house(tmp_path, images_hours=1, results_days=2)
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(job_id, State.DELIVERED)
    folder = context.settings.storage.root / "jobs" / str(job_id) / "token"
    folder.mkdir(parents=True)
    with context.database.write() as session:
        jobs.load(session, job_id).output = str(folder.relative_to(context.settings.storage.root))
    age(context, job_id, State.DELIVERED, 47)
    Housekeeper(context).tick()
    assert results(context, job_id)
    age(context, job_id, State.DELIVERED, 49)
    Housekeeper(context).tick()
    assert not results(context, job_id)
    assert not folder.exists()
    assert len(list((tmp_path / "share").iterdir())) == 1


@pytest.mark.parametrize("state", [State.REFUSED, State.FAILED, State.CANCELLED])
def test_what_ended_otherwise_stays_longer(tmp_path: Path, state: State) -> None:
    context = house(tmp_path)
    young, old = bench.add_job(context), bench.add_job(context)
    age(context, young, state, 29 * 24)
    age(context, old, state, 31 * 24)
    Housekeeper(context).tick()
    assert (images(context, young), images(context, old)) == ([True, True], [False, False])


def test_the_quota_takes_the_oldest_delivered_first(tmp_path: Path) -> None:
    sample = sum(p.stat().st_size for p in sorted((bench.SAMPLE / "ct").iterdir())[:2])
    context = house(tmp_path, quota_gb=2.5 * sample / (1 << 30))
    made = [bench.add_job(context) for _ in range(4)]
    for job_id, hours in zip(made, (1, 3, 2, 9), strict=True):
        age(context, job_id, State.DELIVERED, hours)
    age(context, made[3], State.HELD, 9)
    keeper = Housekeeper(context)
    keeper.tick()
    assert [all(images(context, job_id)) for job_id in made] == [True, False, False, True]
    assert keeper.trouble() is None


def test_a_deletion_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """Killed after the file was gone and before the row said so."""
    context = house(tmp_path, images_hours=0)
    job_id = bench.add_job(context)
    age(context, job_id, State.DELIVERED, 1)
    with context.database.read() as session:
        first = session.get_one(Job, job_id).series.instances[0].path
    (context.settings.storage.root / first).unlink()
    Housekeeper(context).tick()
    assert images(context, job_id) == [False, False]
