"""The back-up with PostgreSQL: between two servers' databases, and from SQLite and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.audit import Person, first_broken
from oarflow.node.database.models import Job
from oarflow.node.states import State
from oarflow.node.web import users
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.housekeeping.test_backup import everything, run

pytestmark = pytest.mark.node


@pytest.fixture
def urls(postgresql: Any) -> dict[str, str | None]:
    """Databases by name: two of one PostgreSQL, and None for SQLite."""
    url, _ = postgresql
    driver = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(driver, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE other"))
    engine.dispose()
    return {"one": url, "other": url.rsplit("/", 1)[0] + "/other", "sqlite": None}


def configured(root: Path, url: str | None) -> tuple[NodeContext, Path]:
    """A node on this database, and its settings file."""
    delivery = bench.to_folder(root / "share")
    database = {} if url is None else {"url": url}
    document = {
        "storage": {"folder": str(root / "store")},
        "delivery": delivery,
        "database": database,
    }
    file = root / "node.yaml"
    file.write_text(yaml.safe_dump(document))
    return bench.make_context(root, delivery=delivery, database=database), file


@pytest.mark.parametrize(
    ("source", "target"), [("one", "other"), ("sqlite", "one"), ("one", "sqlite")]
)
def test_all_rows_and_files_come_back_and_the_work_goes_on(
    tmp_path: Path, urls: dict[str, str | None], source: str, target: str
) -> None:
    context, file = configured(tmp_path / "source", urls[source])
    with context.database.write() as session:
        users.put(session, "jane", "correct horse battery", users.UserRole.OPERATOR, Person("x"))
    done = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(done, State.DELIVERED)
    bench.add_job(context, patient_name="Ünïcode^Wörds")
    archive = tmp_path / "state.tar.gz"
    assert run(file, "backup", str(archive)) == 0
    before = everything(context)
    context.database.close()
    other, other_file = configured(tmp_path / "target", urls[target])
    assert run(other_file, "restore", str(archive)) == 0
    assert everything(other) == before
    with other.database.read() as session:
        assert first_broken(session) is None
        waiting = session.scalar(select(Job.id).where(Job.state == State.SEGMENTED))
    assert waiting is not None
    with bench.Running(other) as running:
        running.reaches(waiting, State.DELIVERED)
    assert bench.add_job(other) > waiting
    other.database.close()
