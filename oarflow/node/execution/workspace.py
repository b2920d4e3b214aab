"""Folders of a job's runs: jobs/<job>/<token>/ with images in `in`, results in `out-*` and the
templates."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from oarflow.node.database.models import Instance
from oarflow.node.execution import application
from oarflow.node.execution.order import STOP, RunOrder, WarmOrder
from oarflow.node.files import snapshot
from oarflow.node.settings import ExecutionSettings, NodeSettings
from oarflow.templates.folder import NO_TEMPLATES

JOBS = "jobs"
INPUT = "in"
TEMPLATES = "templates"


def job_folder(root: Path, job_id: int) -> Path:
    """The folder of all runs of a job."""
    return root / JOBS / str(job_id)


def prepare(root: Path, job_id: int, token: str, instances: Iterable[Instance]) -> Path:
    """Make the folder of a new run, with links to the current images. Raises OSError."""
    folder = job_folder(root, job_id) / token
    snapshot([root / one.path for one in instances], folder / INPUT)
    return folder


def keep_templates(workspace: Path, texts: Mapping[str, str]) -> None:
    """Write the job's templates into the folder of a run. Raises OSError."""
    if texts:
        (workspace / TEMPLATES).mkdir()
    for name, text in texts.items():
        (workspace / TEMPLATES / name).write_text(text, encoding="utf-8")


def template_options(
    execution: ExecutionSettings, workspace: Path, context: Mapping[str, str]
) -> Iterator[str]:
    """Options that hold the application to the job's templates. context: for their rules."""
    if (workspace / TEMPLATES).is_dir():
        yield from ("--templates", str(workspace / TEMPLATES))
        for name, value in context.items():
            if value:
                yield from ("--context", f"{name}={value}")
    elif execution.config is not None and application.is_own(execution.command):
        yield from ("--templates", NO_TEMPLATES)


def order(
    settings: NodeSettings,
    job_id: int,
    token: str,
    workspace: Path,
    epoch: int,
    *,
    context: Mapping[str, str],
) -> RunOrder:
    """The order for a worker. context: for the rules of templates."""
    execution = settings.execution
    options = tuple(template_options(execution, workspace, context))
    return RunOrder(
        job_id=job_id,
        token=token,
        workspace=str(workspace),
        command=(*command(execution, workspace / INPUT), *options),
        environment=execution.environment | {"SOURCE_DATE_EPOCH": str(epoch)},
        time_limit_seconds=execution.time_limit_seconds,
        memory_bytes=execution.memory_limit_mb and execution.memory_limit_mb << 20,
        heartbeat_seconds=execution.heartbeat_seconds,
        warm=_warm(execution, workspace / INPUT, options),
    )


def _warm(execution: ExecutionSettings, images: Path, options: tuple[str, ...]) -> WarmOrder | None:
    """The order to a warm process; None where every study gets a process of its own."""
    arguments = application.warm_arguments(execution.command)
    studies = execution.studies_per_process
    if arguments is None or studies == 1:
        return None
    return WarmOrder(application.WARM, (*_filled(arguments, execution, images), *options), studies)


def command(execution: ExecutionSettings, images: Path) -> tuple[str, ...]:
    """The command with all placeholders filled but {output}."""
    return _filled(execution.command, execution, images)


def _filled(given: tuple[str, ...], execution: ExecutionSettings, images: Path) -> tuple[str, ...]:
    """Words of the command with all placeholders filled but {output}."""
    words = {
        "{python}": application.interpreter(),
        "{input}": str(images),
        "{models}": str(execution.models.absolute()),
        "{config}": str(execution.config.absolute()) if execution.config else "",
    }
    parts = []
    for part in given:
        filled = part
        for word, value in words.items():
            filled = filled.replace(word, value)
        parts.append(filled)
    if execution.config is not None and not any("{config}" in part for part in given):
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
            shutil.rmtree(workspace / TEMPLATES, ignore_errors=True)
            for other in workspace.glob("out-*"):
                if other != keep:
                    shutil.rmtree(other, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                (workspace / STOP).touch()
            shutil.rmtree(workspace / INPUT, ignore_errors=True)
            shutil.rmtree(workspace / TEMPLATES, ignore_errors=True)
            for other in workspace.glob("out-*"):
                shutil.rmtree(other, ignore_errors=True)
