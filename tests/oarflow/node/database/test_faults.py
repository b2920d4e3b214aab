"""A database that is damaged, full, locked or forbidden is named so, with what to do about it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.node import Node
from oarflow.node.assembly.opening import opened
from oarflow.node.database import Database, faults
from oarflow.node.database.faults import DatabaseFault
from oarflow.node.housekeeping.backup import back_up, restore
from oarflow.node.storage.statuses import NotStored
from tests.oarflow.node.node_bench import ROOT, Bench, ct_slice, free_port

PAGE = 4096
NOBODY = 65534


def used(folder: Path) -> Bench:
    """A node's folder in use, all of its database in one file."""
    bench = Bench(folder, listener={"port": free_port()})
    for k in range(40):
        bench.send(ct_slice("a", k))
    with sqlite3.connect(file_of(bench)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    bench.database.close()
    assert file_of(bench).stat().st_size > 20 * PAGE
    return bench


def file_of(bench: Bench) -> Path:
    return bench.settings.storage.root / "node.db"


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)


def _cut_in_a_page(file: Path) -> None:
    os.truncate(file, file.stat().st_size - PAGE - 100)


def _zeroed(file: Path, *pages: int) -> None:
    with file.open("r+b") as opened:
        for page in pages:
            opened.seek(page * PAGE)
            opened.write(bytes(PAGE))


def _overwritten(file: Path) -> None:
    file.write_bytes(b"no database at all, whatever it was " * 1000)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut to half": _cut,
    "cut within a page": _cut_in_a_page,
    "its first page zeroed": lambda file: _zeroed(file, 0),
    "pages in the middle zeroed": lambda file: _zeroed(file, *range(5, 15)),
    "its last page zeroed": lambda file: _zeroed(file, file.stat().st_size // PAGE - 1),
    "not a database": _overwritten,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_named_with_the_restore_command(tmp_path: Path, damage: str) -> None:
    bench = used(tmp_path)
    DAMAGES[damage](file_of(bench))
    said = refusal(bench)
    assert "the database is damaged" in said
    assert f"move {file_of(bench)}, {file_of(bench)}-wal and {file_of(bench)}-shm" in said
    assert "oarflow node restore ARCHIVE" in said


def refusal(bench: Bench) -> str:
    """What the node says in place of a start."""
    node = Node(bench.settings)
    with pytest.raises(ConfigurationError) as refused:
        node.open()
    node.close()
    assert refused.value.code == "DATABASE"
    return str(refused.value)


def test_the_remedy_works(tmp_path: Path) -> None:
    """Moved away and restored, with an image that came after the back-up."""
    bench = used(tmp_path)
    root, archive = bench.settings.storage.root, tmp_path / "state.tar.gz"
    back_up(Database(bench.settings.database_url), root, archive)
    bench.send(ct_slice("a", 50))
    bench.database.close()
    _overwritten(file_of(bench))
    assert "restore ARCHIVE" in refusal(bench)
    for file in root.glob("node.db*"):
        file.rename(tmp_path / file.name)
    with opened(bench.settings) as database:
        restore(archive, database, root)
    node = Node(bench.settings)
    node.open()
    node.close()
    assert len(bench.instances()) == 41


@pytest.mark.parametrize("way", ["empty", "missing"])
def test_an_empty_database_beside_studies_is_not_taken_for_a_new_node(
    tmp_path: Path, way: str
) -> None:
    """All of them would be contoured and delivered once more."""
    bench = used(tmp_path)
    for file in bench.settings.storage.root.glob("node.db*"):
        file.unlink()
    if way == "empty":
        file_of(bench).touch()
    said = refusal(bench)
    assert "is empty or missing, but" in said
    assert "oarflow node restore ARCHIVE" in said


def test_a_folder_without_studies_gets_a_new_database(tmp_path: Path) -> None:
    """As after a start that was cut off before SQLite wrote anything."""
    bench = Bench(tmp_path, listener={"port": free_port()})
    bench.database.close()
    shutil.rmtree(bench.settings.storage.root)
    bench.settings.storage.root.mkdir()
    file_of(bench).touch()
    node = Node(bench.settings)
    node.open()
    node.close()


def test_a_database_damaged_while_the_node_runs_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = used(tmp_path)
    _overwritten(file_of(bench))
    with pytest.raises(NotStored) as refused:
        bench.send(ct_slice("a", 50))
    assert "the database is damaged" in refused.value.comment
    with caplog.at_level(logging.ERROR):
        bench.watcher.attempt()
    assert bench.watcher.trouble() == "the database is damaged (SQLITE_NOTADB)"
    assert "series: the database is damaged" in caplog.text


def fault_of(database: Database, *statements: str) -> DatabaseFault:
    try:
        with database.write() as session:
            for statement in statements:
                session.execute(text(statement))
    except DatabaseError as error:
        return faults.kind_of(error)
    raise AssertionError("it did not fail")


def test_other_faults_have_other_names(tmp_path: Path) -> None:
    """Each made with SQLite itself."""
    file = tmp_path / "some.db"
    database = Database(f"sqlite:///{file}", 0.1)
    with database.write() as session:
        session.execute(text("CREATE TABLE one (value BLOB)"))
    grow = "INSERT INTO one VALUES (zeroblob(1000000))"
    assert fault_of(database, "PRAGMA max_page_count = 5", grow) is DatabaseFault.FULL
    with database.write():
        assert fault_of(Database(f"sqlite:///{file}", 0.1), "SELECT 1") is DatabaseFault.BUSY
    read_only = Database(f"sqlite:///file:{file}?mode=ro&uri=true", 0.1)
    assert fault_of(read_only, grow) is DatabaseFault.FORBIDDEN
    (tmp_path / "folder.db").mkdir()
    assert (
        fault_of(Database(f"sqlite:///{tmp_path}/folder.db"), "SELECT 1") is DatabaseFault.FORBIDDEN
    )
    assert fault_of(database, "SELECT nothing") is DatabaseFault.AWAY


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_database_that_the_node_may_not_write_is_refused_at_the_start(
    tmp_path: Path, mode: int
) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a file to another user needs root")
    bench = used(tmp_path)
    root = bench.settings.storage.root
    for path in (root, *root.glob("node.*")):
        os.chown(path, NOBODY, NOBODY)
    file_of(bench).chmod(mode)
    for parent in root.parents:
        if parent.is_relative_to(tmp_path.parent.parent):
            parent.chmod(0o755)
    program = "import os, sys; from oarflow.node.database import Database, faults; "
    program += "from sqlalchemy.exc import SQLAlchemyError; database = Database(sys.argv[2]); "
    program += "os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))\n"
    program += "try:\n    database.verify()\n"
    program += "except SQLAlchemyError as error:\n    print(faults.kind_of(error))"
    command = [sys.executable, "-c", program, str(NOBODY), bench.settings.database_url]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == DatabaseFault.FORBIDDEN, said.stderr


@pytest.mark.node
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        bench = used(tmp_path)
        with contextlib.suppress(OSError):
            (tmp_path / "filler").write_bytes(bytes(8 << 20))
        assert "the disk of the database is full" in refusal(bench)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=False)


class ToldError(Exception):
    """As psycopg tells of a fault."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "fault"),
    [
        ("XX001", DatabaseFault.DAMAGED),
        ("53100", DatabaseFault.FULL),
        ("42501", DatabaseFault.FORBIDDEN),
        ("08006", DatabaseFault.AWAY),
    ],
)
def test_postgresql_s_states(sqlstate: str, fault: DatabaseFault) -> None:
    error = OperationalError("SELECT 'Secret'", {}, ToldError(sqlstate))
    assert faults.kind_of(error) is fault
    with (
        pytest.raises(ConfigurationError) as caught,
        faults.refused("postgresql://user:password@host/name"),
    ):
        raise error
    said = str(caught.value)
    assert str(fault) in said
    assert "password" not in said
    assert "Secret" not in said


@pytest.mark.parametrize("fault", DatabaseFault)
@pytest.mark.parametrize("url", ["sqlite:////srv/node.db", "postgresql://host/name"])
def test_every_fault_has_a_remedy(fault: DatabaseFault, url: str) -> None:
    assert faults.remedy(fault, url)
