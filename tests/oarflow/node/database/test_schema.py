"""Databases that another version of the program made are refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.node import Node
from oarflow.node.database import Database
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
    node = at_revision(tmp_path, "1")
    try:
        node.open()
    finally:
        node.close()
