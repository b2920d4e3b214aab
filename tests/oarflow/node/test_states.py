"""The table of states, and what the database keeps of a job's way."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError, OperationalError

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database, jobs, leases
from oarflow.node.database.models import AuditEntry, Base, Job, Lease
from oarflow.node.states import (
    MEANINGS,
    RESTARTABLE,
    TRANSITIONS,
    NotAllowed,
    State,
    check,
)
from tests.oarflow.node.node_bench import Bench, ct_slice

AT_AN_END = {State.REFUSED, State.FAILED, State.DELIVERED, State.DEAD_LETTER, State.CANCELLED}


def test_every_state_is_reached_and_nothing_loses_its_way() -> None:
    reached, queue = {State.RECEIVED}, [State.RECEIVED]
    while queue:
        for after in TRANSITIONS[queue.pop()] - reached:
            reached.add(after)
            queue.append(after)
    assert reached == set(State) == set(TRANSITIONS) == set(MEANINGS)


def test_nothing_is_delivered_without_having_been_made() -> None:
    """DELIVERED is only reached from where results are, or a refusal's reason."""
    before = {state for state, after in TRANSITIONS.items() if State.DELIVERED in after}
    assert before == {State.SEGMENTED, State.DELIVERING}
    before = {state for state, after in TRANSITIONS.items() if State.DELIVERING in after}
    assert before <= {
        State.SEGMENTED,
        State.HELD,
        State.REFUSED,
        State.DELIVERED,
        State.DEAD_LETTER,
    }


def test_what_was_delivered_is_never_restarted() -> None:
    assert not RESTARTABLE & {State.DELIVERING, State.DELIVERED, State.DEAD_LETTER, State.CANCELLED}
    with pytest.raises(NotAllowed, match="delivered cannot become received"):
        check(State.DELIVERED, State.RECEIVED)


def test_each_step_is_a_row_with_its_reason(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.send(ct_slice("a", 0))
    with bench.database.write() as session:
        job = jobs.load(session, 1)
        jobs.refuse(session, job, "MISSING_SLICE", "1 gap")
        jobs.retry(session, job, "somebody")
    with bench.database.read() as session:
        steps = session.get_one(Job, 1).steps
        assert [(s.before, s.after, s.reason, s.actor) for s in steps] == [
            (None, State.RECEIVED, "the first instance arrived", "node"),
            (State.RECEIVED, State.REFUSED, "1 gap", "node"),
            (State.REFUSED, State.QUEUED, "asked to run again", "somebody"),
        ]


def test_a_step_that_is_not_allowed_leaves_nothing_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.send(ct_slice("a", 0))

    def wrong() -> None:
        with bench.database.write() as session:
            jobs.move(session, jobs.load(session, 1), State.COMPLETE, "quiet")
            jobs.move(session, jobs.load(session, 1), State.DELIVERED, "by mistake")

    with pytest.raises(NotAllowed):
        wrong()
    assert bench.job().state is State.RECEIVED
    assert bench.way() == [State.RECEIVED]


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2


def test_the_audit_log_is_only_added_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.database.write() as session:
        session.add(AuditEntry(user="somebody", action="view"))
    with pytest.raises(DBAPIError, match="only added"), bench.database.write() as session:
        session.execute(delete(AuditEntry))
    with pytest.raises(DBAPIError, match="only added"), bench.database.write() as session:
        session.get_one(AuditEntry, 1).user = "nobody"
    replaced = """INSERT OR REPLACE INTO audit_log
        (id, at, user, address, action, subject, detail, chain)
        SELECT id, at, 'nobody', address, action, subject, detail, chain FROM audit_log"""
    with pytest.raises(DBAPIError, match="only added"), bench.database.write() as session:
        session.execute(text(replaced))
    with bench.database.read() as session:
        assert session.get_one(AuditEntry, 1).user == "somebody"
    with bench.database.write() as session:
        session.add(AuditEntry(user="another", action="view"))


def test_a_writer_that_waits_too_long_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, database={"busy_seconds": 0.2})
    other = Database(bench.settings.database_url, 0.2)
    with other.write(), pytest.raises(OperationalError), bench.database.write():
        pass


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        Database(url)


def test_a_lease_is_judged_by_its_beats_not_by_the_clock() -> None:
    moments = iter([0.0, 100.0, 200.0, 211.0])
    watch = leases.Watch(10, lambda: next(moments))
    lease = Lease(resource="run:1", owner="a", token="t", beats=0)
    assert watch.lost([lease]) == []
    lease.beats = 1
    assert watch.lost([lease]) == []  # it beat, however late
    lease.beats = 2
    assert watch.lost([lease]) == []
    assert watch.lost([lease]) == [lease]
