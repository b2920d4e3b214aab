"""Contour a whole folder of studies, as many at once as there are workers."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.node.batch import AT_REST, Batch, Line, own_settings
from oarflow.node.batch_files import Tally
from oarflow.node.database import Database
from oarflow.node.files import make_folder
from oarflow.node.node import lock, migrate
from oarflow.node.settings import Settings
from oarflow.node.states import State
from oarflow.shown import shown

_WORST = {
    State.SEGMENTED: ExitStatus.WRITTEN,
    State.HELD: ExitStatus.HELD,
    State.REFUSED: ExitStatus.REFUSED,
}
_ORDER = (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED, ExitStatus.FAULT)


def main(flags: argparse.Namespace, settings: Settings) -> int:
    """Run it. Returns the worst status of all series; 1 where an image file was refused, 3 where
    there is no series. Raises ConfigurationError.
    """
    if not flags.folder.is_dir():
        raise ConfigurationError("NO_INPUT", f"{flags.folder} is no folder")
    own = own_settings(settings, flags.output)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        make_folder(own.storage.root)
    except OSError as error:
        raise ConfigurationError("OUTPUT", f"{flags.output}: {error.strerror}") from error
    held = lock(own.storage.root)
    database = Database(own.database_url, own.database.busy_seconds)
    try:
        migrate(database)
        batch = Batch(own, database, flags.output)
        lines = _run(batch, flags.folder, stop)
    finally:
        database.close()
        os.close(held)
    _print(lines)
    return ExitStatus.INTERRUPTED if stop.is_set() else _status(lines, batch.tally)


def _run(batch: Batch, folder: Path, stop: threading.Event) -> Sequence[Line]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=None)
        tally = batch.take(folder, lambda: progress.advance(reading))
        progress.remove_task(reading)
        for words in tally.words():
            console.print(words, markup=False, highlight=False)
        task = progress.add_task("contouring", total=len(batch.lines()))
        batch.executor.start()
        try:
            while not stop.wait(0.5):
                lines = batch.lines()
                done = sum(line.state in AT_REST for line in lines)
                progress.update(task, completed=done, description=_at_work(lines))
                batch.hand_over()
                if done == len(lines):
                    break
        finally:
            batch.executor.stop()
    batch.hand_over()
    return batch.lines()


def _at_work(lines: Sequence[Line]) -> str:
    organs = [
        str(line.progress.get("organ") or line.progress.get("stage") or "starting")
        for line in lines
        if line.state is State.RUNNING
    ]
    return ", ".join(organs)[:32] or "contouring"


def _status(lines: Sequence[Line], tally: Tally) -> ExitStatus:
    found = [_WORST.get(line.state, ExitStatus.FAULT) for line in lines]
    if tally.refused:
        found.append(ExitStatus.FAULT)
    return max(found, key=_ORDER.index, default=ExitStatus.REFUSED)


def _print(lines: Sequence[Line]) -> None:
    if not lines:
        sys.stdout.write("there is no series to contour\n")
        return
    table = Table()
    for name in ("results", "slices", "state", "reason"):
        table.add_column(name, justify="right" if name == "slices" else "left", overflow="fold")
    for line in lines:
        reason = "; ".join(part for part in (line.reason, line.marked) if part)
        table.add_row(line.folder or "-", str(line.slices), str(line.state), escape(shown(reason)))
    Console(file=sys.stdout).print(table)
