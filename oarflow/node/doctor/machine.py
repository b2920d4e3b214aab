"""Checks of this machine: the storage folder, the database, the memory."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from oarflow.node.database import Database, faults
from oarflow.node.doctor.results import CheckResult, CheckStatus, bad, good
from oarflow.node.files import free_bytes, make_folder, write_safely
from oarflow.node.settings import NodeSettings
from oarflow.node.storage.receiver import MEGABYTE


def storage(settings: NodeSettings) -> Iterator[CheckResult]:
    """The storage folder is writable, private, and has free space."""
    root = settings.storage.root
    try:
        make_folder(root)
        with tempfile.TemporaryDirectory(dir=root, prefix=".doctor-") as folder:
            write_safely(Path(folder) / "file", b"x")
    except OSError as error:
        yield _unusable(root, error)
        return
    yield good("storage", f"{root} is writable")
    if root.stat().st_mode & stat.S_IROTH:
        yield CheckResult(
            "storage",
            CheckStatus.DOUBTFUL,
            "other users of this machine can read the folder",
            f"chmod o= {root}",
        )
    free, least = free_bytes(root) >> 20, settings.storage.min_free_mb
    if free < least:
        yield bad(
            "disk",
            f"{free} MB free, {least} MB needed: the node refuses every instance (A700)",
            "free disk space, or lower storage.min_free_mb",
        )
    else:
        yield good("disk", f"{free} MB free, {least} MB needed")


def _unusable(root: Path, error: OSError) -> CheckResult:
    """A finding for a storage folder that is missing or not writable."""
    if root.exists():
        remedy = "set storage.folder to a folder that the node may write to"
        return bad("storage", f"{root}: {error.strerror}", remedy)
    return bad(
        "storage",
        f"{root} does not exist, and this user may not make it ({error.strerror})",
        "make it for the node's user: install -d -m 0750 -o USER -g GROUP FOLDER. Under systemd, "
        "the first start makes the unit's StateDirectory",
    )


def database(settings: NodeSettings) -> Iterator[CheckResult]:
    """The database answers."""
    store = Database(settings.database_url, settings.database.busy_seconds)
    try:
        store.check()
        yield good("database", f"{store.engine.dialect.name} answers")
    except SQLAlchemyError as error:
        remedy = faults.remedy(faults.kind_of(error), settings.database_url)
        yield bad("database", faults.in_words(error), remedy)
    finally:
        store.close()


def memory(settings: NodeSettings) -> Iterator[CheckResult]:
    """The memory limits of all workers together fit into the machine's memory."""
    limit = settings.execution.memory_limit_mb
    if limit is None or settings.execution.scheduler is not None:
        return
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE
    needs = limit * settings.execution.workers
    if needs > has:
        yield CheckResult(
            "memory",
            CheckStatus.DOUBTFUL,
            f"{settings.execution.workers} jobs may use {needs} MB; the machine has {has} MB",
            "lower execution.workers or execution.memory_limit_mb",
        )
    else:
        yield good("memory", f"jobs may use {needs} of {has} MB")
