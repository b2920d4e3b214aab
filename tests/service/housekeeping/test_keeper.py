"""What is deleted, and what never is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.database import jobs
from service.database.models import Job, now
from service.housekeeping.keeper import Housekeeper
from service.parts import Context
from service.states import State
from tests.service.delivery import bench

FOR_EVER = 10_000


def house(tmp_path: Path, **settings: Any) -> Context:
    return bench.make_context(
        tmp_path, housekeeping=settings, delivery=bench.to_folder(tmp_path / "share")
    )


def age(context: Context, job_id: int, state: State, hours: float) -> None:
    """A job that has stood in a state for so long."""
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        job.state, job.state_at = state, now() - timedelta(hours=hours)


def images(context: Context, job_id: int) -> list[bool]:
    """Whether each received file is there; the rows say the same."""
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        rows = job.series.instances
        there = [(context.settings.storage.root / one.path).exists() for one in rows]
        assert [one.deleted_at is None for one in rows] == there
        return there


def results(context: Context, job_id: int) -> bool:
    job = bench.look(context, job_id)
    return bool(job.output) and (context.settings.storage.root / job.output).exists()


@pytest.mark.parametrize("state", list(State))
def test_nothing_goes_before_it_was_delivered(tmp_path: Path, state: State) -> None:
    """Whatever the age, with the shortest times that can be set, and far over the quota."""
    context = house(tmp_path, images_hours=0, results_days=0, ended_days=None, quota_gb=1e-9)
    job_id = bench.add_job(context)
    age(context, job_id, state, FOR_EVER)
    keeper = Housekeeper(context)
    keeper.tick()
    kept = state is not State.DELIVERED
    assert images(context, job_id) == [kept, kept]
    assert (keeper.trouble() is not None) == kept
    assert results(context, job_id), "it was sent nowhere: this is the only copy"


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
