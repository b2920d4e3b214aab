"""A back-up made while the node works, restored elsewhere, goes on where it was."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select

from oarflow.commands import main
from oarflow.node.assembly.parts import NodeContext
from oarflow.node.audit import Action, Person, first_broken, record
from oarflow.node.database.models import Base, Job, WebSession
from oarflow.node.states import State
from oarflow.node.web import users
from oarflow.node.web.passwords import verify_password
from tests.oarflow.node.delivery import bench


def configured(root: Path) -> tuple[NodeContext, Path]:
    """A node and its settings file."""
    delivery = bench.to_folder(root / "share")
    root.mkdir(parents=True, exist_ok=True)
    file = root / "node.yaml"
    storage = {"folder": str(root / "store")}
    file.write_text(yaml.safe_dump({"storage": storage, "delivery": delivery}))
    return bench.make_context(root, delivery=delivery), file


def everything(context: NodeContext) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but the sign-ins, and but the restoring's own entry."""
    found = {}
    with context.database.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name != WebSession.__tablename__:
                rows = session.execute(select(table).order_by(*table.primary_key))
                found[table.name] = [tuple(row) for row in rows]
    found["audit_log"] = [row for row in found["audit_log"] if "restore" not in row]
    return found


def run(file: Path, *words: str) -> int:
    return main(["node", "--config", str(file), *words])


@pytest.fixture
def busy(tmp_path: Path) -> tuple[NodeContext, Path]:
    """A node with a user, a job that is on its way and one that is done."""
    context, file = configured(tmp_path / "one")
    with context.database.write() as session:
        users.put(session, "jane", "correct horse battery", users.UserRole.OPERATOR, Person("x"))
    done = bench.add_job(context)
    with bench.Running(context) as running:
        running.reaches(done, State.DELIVERED)
    bench.add_job(context, patient_name="Waiting^Still")
    return context, file


def test_all_rows_and_files_come_back_and_the_work_goes_on(
    tmp_path: Path, busy: tuple[NodeContext, Path]
) -> None:
    context, file = busy
    archive = tmp_path / "state.tar.gz"
    assert run(file, "backup", str(archive)) == 0
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    before = everything(context)
    other, other_file = configured(tmp_path / "two")
    assert run(other_file, "restore", str(archive)) == 0
    assert everything(other) == before
    with other.database.read() as session:
        assert first_broken(session) is None
        waiting = session.scalar(select(Job.id).where(Job.state == State.SEGMENTED))
    assert waiting is not None
    with bench.Running(other) as running:
        running.reaches(waiting, State.DELIVERED)
    assert [path.read_bytes() for path in (tmp_path / "two" / "share").iterdir()] == [
        bench.RTSTRUCT.read_bytes()
    ]


def test_new_rows_follow_the_restored_ones(tmp_path: Path, busy: tuple[NodeContext, Path]) -> None:
    _, file = busy
    run(file, "backup", str(tmp_path / "state.tar.gz"))
    other, other_file = configured(tmp_path / "two")
    run(other_file, "restore", str(tmp_path / "state.tar.gz"))
    assert bench.add_job(other) == 3


def test_a_node_that_is_not_empty_stays_as_it_is(
    tmp_path: Path, busy: tuple[NodeContext, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    context, file = busy
    run(file, "backup", str(tmp_path / "state.tar.gz"))
    before = everything(context)
    assert run(file, "restore", str(tmp_path / "state.tar.gz")) == 2
    assert "the node's database is not empty" in capsys.readouterr().err
    assert everything(context) == before


def test_a_node_with_nothing_but_an_audit_log_stays_as_it_is(
    tmp_path: Path, busy: tuple[NodeContext, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, file = busy
    run(file, "backup", str(tmp_path / "state.tar.gz"))
    other, other_file = configured(tmp_path / "two")
    with other.database.write() as session:
        record(session, Person("(unknown)", "192.0.2.1"), Action.SIGN_IN_FAILED)
    before = everything(other)
    capsys.readouterr()
    assert run(other_file, "restore", str(tmp_path / "state.tar.gz")) == 2
    said = capsys.readouterr().err
    assert "RESTORE" in said
    assert "audit log has entries" in said
    assert everything(other) == before
    left = {path.name for path in other.settings.storage.root.rglob("*")}
    assert left <= {"node.db", "node.db-wal", "node.db-shm", "node.lock"}


def _repacked(archive: Path, change: bytes, to: bytes) -> bytes:
    """The archive with its rows changed."""
    out = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name == "rows.jsonl":
                content = content.replace(change, to)
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("damage", ["cut", "changed", "no archive", "another's"])
def test_a_damaged_archive_is_not_restored(
    tmp_path: Path, busy: tuple[NodeContext, Path], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    _, file = busy
    archive = tmp_path / "state.tar.gz"
    run(file, "backup", str(archive))
    other, other_file = configured(tmp_path / "two")
    whole = archive.read_bytes()
    archive.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "changed": _repacked(archive, b"Waiting^Still", b"Somebody^Else"),
            "no archive": b"hello",
            "another's": gzip.compress(b"hello" * 1000),
        }[damage]
    )
    assert run(other_file, "restore", str(archive)) == 2
    assert "RESTORE" in capsys.readouterr().err
    assert everything(other)["jobs"] == []


def test_a_file_that_leads_out_of_the_folder_is_not_written(
    tmp_path: Path, busy: tuple[NodeContext, Path]
) -> None:
    _, file = busy
    archive = tmp_path / "state.tar.gz"
    run(file, "backup", str(archive))
    out = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
        evil = tarfile.TarInfo("files/../../evil")
        evil.size = 4
        new.addfile(evil, io.BytesIO(b"evil"))
    archive.write_bytes(out.getvalue())
    _, other_file = configured(tmp_path / "two")
    assert run(other_file, "restore", str(archive)) == 2
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_never_lies_in_what_it_copies(
    tmp_path: Path, busy: tuple[NodeContext, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    context, file = busy
    inside = context.settings.storage.root / "state.tar.gz"
    assert run(file, "backup", str(inside)) == 2
    assert "outside the storage folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("backup", "x.tar.gz"), ("audit",), ("user", "list")])
def test_a_database_that_is_none_is_said_in_words(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "node.db").write_bytes(b"no database at all" * 100)
    file = tmp_path / "node.yaml"
    file.write_text(yaml.safe_dump({"storage": {"folder": str(tmp_path / "store")}}))
    assert run(file, *words) == 2
    said = capsys.readouterr().err
    assert "DATABASE: the database is damaged (SQLITE_NOTADB)" in said
    assert "restore ARCHIVE" in said


def test_users_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = configured(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    assert run(file, "user", "put", "jane", "--role", "operator") == 0
    with context.database.write() as session:
        assert verify_password("correct horse battery", users.hash_of(session, "jane"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert run(file, "user", "put", "joe") == 2
    assert "12 to 256 characters" in capsys.readouterr().err
    assert run(file, "user", "disable", "jane") == 0
    assert run(file, "user", "disable", "nobody") == 2
    run(file, "user", "list")
    assert "jane" in capsys.readouterr().out
    with context.database.write() as session:
        assert users.hash_of(session, "jane") is None
    assert run(file, "audit") == 0
    assert '"action": "user"' in capsys.readouterr().out
