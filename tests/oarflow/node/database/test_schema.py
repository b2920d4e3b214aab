"""Databases that another version of the program made are refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.node import Node
from oarflow.node.database import Database
from oarflow.node.database.models import Job, StoredTemplates, User
from oarflow.node.database.schema import MIGRATIONS
from tests.oarflow.node.node_bench import settings_at


def at_revision(root: Path, revision: str) -> Node:
    """A node whose database another version of the program made."""
    settings = settings_at(root)
    settings.storage.root.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    database.close()
    return Node(settings)


@pytest.mark.parametrize(
    ("revision", "made", "remedy"),
    [
        ("0001", "a development version of OARflow", "oarflow node backup ARCHIVE"),
        ("0003", "a development version of OARflow", "oarflow node restore ARCHIVE"),
        ("99", "another version of OARflow", "use that version"),
    ],
)
def test_a_database_of_another_version_is_refused_at_the_start(
    tmp_path: Path, revision: str, made: str, remedy: str
) -> None:
    node = at_revision(tmp_path, revision)
    try:
        with pytest.raises(ConfigurationError) as refused:
            node.open()
    finally:
        node.close()
    assert refused.value.code == "DATABASE"
    assert made in str(refused.value)
    assert f"revision {revision}" in str(refused.value)
    assert remedy in str(refused.value)


def test_a_database_of_this_version_is_opened_again(tmp_path: Path) -> None:
    node = at_revision(tmp_path, "2")
    try:
        node.open()
    finally:
        node.close()


def test_a_database_of_an_earlier_version_keeps_its_rows(tmp_path: Path) -> None:
    """A user, of the first revision: its table is the shortest."""
    settings = settings_at(tmp_path)
    settings.storage.root.mkdir(parents=True)
    database = Database(settings.database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    user = "INSERT INTO users VALUES (1, 'jane', 'hash', 'viewer', 0, 0, NULL, '2026-01-01')"
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "1")
        connection.execute(text(user))
    database.migrate()
    with database.read() as session:
        assert [one.name for one in session.scalars(select(User))] == ["jane"]
        assert session.scalars(select(Job.template_set_id)).all() == []
        assert session.scalars(select(StoredTemplates)).all() == []
    database.close()
