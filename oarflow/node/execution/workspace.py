"""Folders of a job's runs: jobs/<job>/<token>/ with images in `in` and results in `out-*`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from oarflow.node.database.models import Instance
from oarflow.node.execution.application import interpreter
from oarflow.node.execution.order import STOP, RunOrder
from oarflow.node.files import snapshot
from oarflow.node.settings import ExecutionSettings, NodeSettings

JOBS = "jobs"
INPUT = "in"


def job_folder(root: Path, job_id: int) -> Path:
    """The folder of all runs of a job."""
    return root / JOBS / str(job_id)


def prepare(root: Path, job_id: int, token: str, instances: Iterable[Instance]) -> Path:
    """Make the folder of a new run, with links to the current images. Raises OSError."""
    folder = job_folder(root, job_id) / token
    snapshot([root / one.path for one in instances], folder / INPUT)
    return folder


def order(settings: NodeSettings, job_id: int, token: str, workspace: Path, epoch: int) -> RunOrder:
    """The order for a worker."""
    execution = settings.execution
    return RunOrder(
        job_id=job_id,
        token=token,
        workspace=str(workspace),
        command=command(execution, workspace / INPUT),
        environment=execution.environment | {"SOURCE_DATE_EPOCH": str(epoch)},
        time_limit_seconds=execution.time_limit_seconds,
        memory_bytes=execution.memory_limit_mb and execution.memory_limit_mb << 20,
        heartbeat_seconds=execution.heartbeat_seconds,
    )


def command(execution: ExecutionSettings, images: Path) -> tuple[str, ...]:
    """The command with all placeholders filled but {output}."""
    words = {
        "{python}": interpreter(),
        "{input}": str(images),
        "{models}": str(execution.models.absolute()),
        "{config}": str(execution.config.absolute()) if execution.config else "",
    }
    parts = []
    for part in execution.command:
        filled = part
        for word, value in words.items():
            filled = filled.replace(word, value)
        parts.append(filled)
    if execution.config is not None and not any("{config}" in part for part in execution.command):
        parts += ["--config", words["{config}"]]
    return tuple(parts)


def stop(root: Path, job_id: int) -> None:
    """Let all runs of a job stop, on every machine."""
    folder = job_folder(root, job_id)
    for workspace in folder.glob("*/"):
        with contextlib.suppress(OSError):
            (workspace / STOP).touch()


def tidy(root: Path, job_id: int, keep: Path | None) -> None:
    """Remove the folders of a job's runs, except the accepted output and the last log.

    A folder in which a run may be under way is marked to stop, and removed the next time.
    """
    for workspace in job_folder(root, job_id).glob("*/"):
        if keep is not None and keep.is_relative_to(workspace):
            shutil.rmtree(workspace / INPUT, ignore_errors=True)
            for other in workspace.glob("out-*"):
                if other != keep:
                    shutil.rmtree(other, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                (workspace / STOP).touch()
            shutil.rmtree(workspace / INPUT, ignore_errors=True)
            for other in workspace.glob("out-*"):
                shutil.rmtree(other, ignore_errors=True)
