"""`oarflow node batch`: contour a folder of studies, as many at once as there are workers."""

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
from oarflow.node.assembly.locking import lock
from oarflow.node.assembly.opening import opened
from oarflow.node.batch.batch import AT_REST, BatchRun, SeriesLine, own_settings
from oarflow.node.batch.files import FileCounts
from oarflow.node.files import make_folder
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from oarflow.shown import shown

_WORST = {
    State.SEGMENTED: ExitStatus.WRITTEN,
    State.HELD: ExitStatus.HELD,
    State.REFUSED: ExitStatus.REFUSED,
}
SOURCES_SHOWN = 3
_ORDER = (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED, ExitStatus.FAULT)


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Contour all series. Returns the worst exit status of them, at least 1 if an image file was
    refused, and 3 if there is no series. Raises ConfigurationError.
    """
    if not flags.folder.is_dir():
        raise ConfigurationError("NO_INPUT", f"{flags.folder} is not a folder")
    own = own_settings(settings, flags.output)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        make_folder(own.storage.root)
    except OSError as error:
        raise ConfigurationError("OUTPUT", f"{flags.output}: {error.strerror}") from error
    held = lock(own.storage.root)
    try:
        with opened(own) as database:
            batch = BatchRun(own, database, flags.output)
            lines = _run(batch, flags.folder, stop)
            left = batch.images_left() if stop.is_set() else batch.remove_copies()
    finally:
        os.close(held)
    _print(lines, flags.folder)
    if left:
        sys.stdout.write(f"{left} copies of images stay in {own.storage.root}: {_why(stop)}\n")
    sys.stdout.write(f"results: {flags.output.absolute()}\n")
    return ExitStatus.INTERRUPTED if stop.is_set() else _status(lines, batch.counts)


def _run(batch: BatchRun, folder: Path, stop: threading.Event) -> Sequence[SeriesLine]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=None)
        counts = batch.take(folder, lambda: progress.advance(reading))
        progress.remove_task(reading)
        for words in counts.words():
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


def _at_work(lines: Sequence[SeriesLine]) -> str:
    organs = [
        str(line.progress.get("organ") or line.progress.get("stage") or "starting")
        for line in lines
        if line.state is State.RUNNING
    ]
    return ", ".join(organs)[:32] or "contouring"


def _status(lines: Sequence[SeriesLine], counts: FileCounts) -> ExitStatus:
    found = [_WORST.get(line.state, ExitStatus.FAULT) for line in lines]
    if counts.refused:
        found.append(ExitStatus.FAULT)
    return max(found, key=_ORDER.index, default=ExitStatus.REFUSED)


def _why(stop: threading.Event) -> str:
    if stop.is_set():
        return "run again with the same -o to continue"
    return "their series were not contoured"


def _print(lines: Sequence[SeriesLine], folder: Path) -> None:
    if not lines:
        sys.stdout.write("no series to contour\n")
        return
    table = Table()
    for name in ("input folder", "results", "slices", "state", "reason"):
        table.add_column(name, justify="right" if name == "slices" else "left", overflow="fold")
    for line in lines:
        reason = "; ".join(part for part in (line.reason, line.marked) if part)
        cells = (_sources(line, folder), line.folder or "-", str(line.slices), str(line.state))
        table.add_row(*(escape(shown(cell)) for cell in (*cells, reason)))
    Console(file=sys.stdout).print(table)


def _sources(line: SeriesLine, folder: Path) -> str:
    """The input folders of a series."""
    names = [str(one.relative_to(folder)) for one in line.sources]
    more = [f"and {len(names) - SOURCES_SHOWN} more"] if len(names) > SOURCES_SHOWN else []
    return ", ".join([*names[:SOURCES_SHOWN], *more]) or "-"
