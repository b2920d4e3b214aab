"""Backs up the state into one archive while the node runs, and restores it.

The archive holds the rows of the database, in a form for SQLite and PostgreSQL, and the files that
they name. It holds patient data.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database
from oarflow.node.database.models import AuditEntry, Base, Instance, Utc, WebSession, now
from oarflow.version import __version__

MANIFEST, ROWS, FILES = "manifest.json", "rows.jsonl", "files"
FORMAT = 1
NOT_KEPT = ("node.db", "node.db-wal", "node.db-shm", "node.lock")
"""Files of the storage folder that are not copied; the archive has the database as rows."""
BATCH = 500


@dataclass(frozen=True)
class BackupSummary:
    """Counts of an archive: rows, files, and instances whose file is missing."""

    rows: int
    files: int
    missing: int = 0


def back_up(database: Database, root: Path, target: Path) -> BackupSummary:
    """Write the archive, which gets its name when it is complete. Raises OSError.

    The rows are read at one moment, the files after it. A file that is deleted meanwhile was
    delivered; one that arrives meanwhile gets its row when the restored node starts.
    """
    hidden = target.with_name(f".{target.name}.part")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
            rows, count = _rows(database)
            manifest = {
                "format": FORMAT,
                "program": __version__,
                "made": now().isoformat(timespec="seconds"),
                "rows": count,
                "rows_sha256": hashlib.sha256(rows).hexdigest(),
            }
            _add(archive, MANIFEST, json.dumps(manifest, indent=2).encode())
            _add(archive, ROWS, rows)
            files = _add_files(archive, root)
        file.flush()
        os.fsync(file.fileno())
    hidden.rename(target)
    return BackupSummary(count, files)


def _rows(database: Database) -> tuple[bytes, int]:
    lines = []
    engine = database.engine
    if not database.sqlite:
        # SQLite has consistent views anyway.
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.begin() as connection:
        for table in _tables():
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
                values = {column.name: _plain(row[column.name]) for column in table.columns}
                lines.append(json.dumps([table.name, values]))
    return ("\n".join(lines) + "\n").encode("ascii"), len(lines)


def _tables() -> Iterator[Table]:
    """All tables but the sign-ins, in the order of their references."""
    return (t for t in Base.metadata.sorted_tables if t.name != WebSession.__tablename__)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o600, int(now().timestamp())
    archive.addfile(info, io.BytesIO(content))


def _add_files(archive: tarfile.TarFile, root: Path) -> int:
    count = 0
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            if relative in NOT_KEPT or not path.is_file() or path.is_symlink():
                continue
            try:
                archive.add(path, f"{FILES}/{relative}", recursive=False)
                count += 1
            except FileNotFoundError:
                # Housekeeping has deleted it since: it was delivered.
                continue
    return count


def restore(archive_path: Path, database: Database, root: Path) -> BackupSummary:
    """Fill an empty, stopped node from an archive.

    Raises ConfigurationError (RESTORE) if the archive is damaged or the node is not empty.
    """
    _refuse_unless_empty(database)
    try:
        with tarfile.open(archive_path, "r:gz") as archive:
            rows = _checked_rows(archive)
            files = _extract(archive, root)
    except (OSError, tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise ConfigurationError("RESTORE", f"{archive_path} cannot be read: {error}") from error
    with database.engine.begin() as connection:
        count = _insert(connection, rows)
    return BackupSummary(count, files, _mark_missing(database, root))


def _refuse_unless_empty(database: Database) -> None:
    """Raises ConfigurationError (RESTORE) if the database has studies or audit entries."""
    with database.read() as session:
        counted = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in _tables()
        }
    used = {name for name, count in counted.items() if count}
    if used == {AuditEntry.__tablename__}:
        raise ConfigurationError(
            "RESTORE",
            "the audit log has entries, which a restore must not replace: restore into an empty "
            "folder or database",
        )
    if used:
        raise ConfigurationError(
            "RESTORE", "the node's database is not empty: restore into an empty folder or database"
        )


def _checked_rows(archive: tarfile.TarFile) -> bytes:
    manifest = json.loads(_content(archive, MANIFEST))
    if manifest.get("format") != FORMAT:
        raise ValueError("not a back-up of a node, or of another version")
    rows = _content(archive, ROWS)
    if hashlib.sha256(rows).hexdigest() != manifest["rows_sha256"]:
        raise ValueError("its rows are damaged")
    return rows


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError("not a back-up of a node")
    return file.read()


def _extract(archive: tarfile.TarFile, root: Path) -> int:
    count = 0
    for member in archive:
        if not member.isfile() or not member.name.startswith(f"{FILES}/"):
            continue
        member.name = member.name.removeprefix(f"{FILES}/")
        if member.name not in NOT_KEPT:
            archive.extract(member, root, filter="data")
            count += 1
    return count


def _insert(connection: Connection, rows: bytes) -> int:
    tables = {table.name: table for table in _tables()}
    waiting: dict[str, list[dict[str, Any]]] = {name: [] for name in tables}
    count = 0
    for line in rows.splitlines():
        name, values = json.loads(line)
        waiting[name].append(_typed(tables[name], values))
        count += 1
    for name, table in tables.items():
        for start in range(0, len(waiting[name]), BATCH):
            connection.execute(insert(table), waiting[name][start : start + BATCH])
    if connection.dialect.name == "postgresql":
        for table in tables.values():
            _renumber(connection, table)
    return count


def _typed(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    return {name: _of_type(table.columns[name].type, value) for name, value in values.items()}


def _of_type(kind: Any, value: Any) -> Any:
    if value is not None and isinstance(kind, Utc):
        return datetime.fromisoformat(value)
    if value is not None and isinstance(kind, LargeBinary):
        return bytes.fromhex(value)
    return value


def _renumber(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after the restored ones."""
    if "id" in table.columns:
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                f"COALESCE((SELECT MAX(id) FROM {table.name}), 1))"
            )
        )


def _mark_missing(database: Database, root: Path) -> int:
    count = 0
    with database.write() as session:
        for instance in session.scalars(select(Instance).where(Instance.deleted_at.is_(None))):
            if not (root / instance.path).is_file():
                instance.deleted_at = now()
                count += 1
    return count
