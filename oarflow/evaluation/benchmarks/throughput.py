"""Studies an hour of `oarflow node batch`, with and without warm processes."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from oarflow.errors import ExitStatus, Fault
from oarflow.evaluation.benchmarks.copies import copy_study
from oarflow.result import FILE_NAME, read_document
from oarflow.tables import markdown_table

PR_SET_CHILD_SUBREAPER = 36
WARM_STUDIES = 50
"""Studies of one warm process: the default of `studies_per_process`."""


@dataclass(frozen=True)
class Mode:
    """A way to run the node. studies_per_process: 1 for no warm process."""

    workers: int
    studies_per_process: int

    @property
    def words(self) -> str:
        return "cold" if self.studies_per_process == 1 else "warm"


@dataclass(frozen=True)
class Round:
    """One batch.

    wall_s: of the batch. cpu_s: processor time of the command and all its processes. pause_s: mean
    time between the end of a study's run and the start of the next one's, with one worker.
    peak_mb: the greatest of the studies' peaks. contours: study, organ and volume in cc.
    """

    mode: Mode
    studies: int
    wall_s: float
    cpu_s: float
    pause_s: float
    peak_mb: float
    contours: frozenset[tuple[str, str, float]]


def benchmark(
    ct: Path, models: Path, *, studies: int, rounds: int, workers: Sequence[int], command: str
) -> str:
    """Run batches of copies of one CT, cold and warm in turns; a markdown page.

    Raises Fault where a study was not contoured, or where cold and warm contours differ.
    """
    modes = [Mode(count, per) for count in workers for per in (1, WARM_STUDIES)]
    found = []
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        for number in range(studies):
            copy_study(ct, folder / "studies" / f"{number}", number)
        for turn in range(rounds):
            for place, mode in enumerate(modes):
                found.append(_round(mode, folder, f"{turn}-{place}", models, studies))
    if len({one.contours for one in found}) > 1:
        raise Fault("the contours of cold and warm runs differ")
    return _page(found, modes, studies, rounds, command)


def _round(mode: Mode, folder: Path, name: str, models: Path, studies: int) -> Round:
    settings = folder / f"{name}.yaml"
    execution = {
        "workers": mode.workers,
        "studies_per_process": mode.studies_per_process,
        "models": str(models),
        "command": [*_VERB, "-o", "{output}", "-m", "{models}", "--progress", "json", "--quiet"],
    }
    settings.write_text(json.dumps({"execution": execution}), encoding="utf-8")
    out = folder / name
    batch = ("node", "-c", settings, "batch", folder / "studies", "-o", out)
    started, before = time.monotonic(), _cpu_seconds()
    # Processes that outlive their parent become this one's, so that their time is counted.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = [sys.executable, "-m", "oarflow", *map(str, batch)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - started
    _reap()
    results = list(out.glob(f"*/{FILE_NAME}"))
    documents = [read_document(path.read_bytes()) for path in results]
    statuses = [document.exit_status for document in documents]
    if statuses != [ExitStatus.WRITTEN] * studies:
        raise Fault(f"exit statuses {statuses}, but {studies} studies were to be contoured")
    return Round(
        mode,
        studies,
        wall,
        _cpu_seconds() - before,
        _pause(results),
        max(document.run.peak_memory_mb for document in documents),
        frozenset(
            (document.input.study_instance_uid, organ.name, organ.volume_cc)
            for document in documents
            for organ in document.organs
            if document.input is not None
        ),
    )


def _pause(results: Sequence[Path]) -> float:
    """Mean seconds between the end of a run and the start of the next; 0 for one run."""
    runs = sorted((path.stat().st_mtime, _seconds(path)) for path in results)
    pauses = [end - before - lasted for (before, _), (end, lasted) in pairwise(runs)]
    return mean(pauses) if pauses else 0.0


def _seconds(result: Path) -> float:
    return read_document(result.read_bytes()).run.seconds


_VERB = ("{python}", "-m", "oarflow", "segment", "{input}")


def _cpu_seconds() -> float:
    """Processor time of all ended processes that this one started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    """Wait for all processes that this one has inherited."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def _page(
    found: Sequence[Round], modes: Sequence[Mode], studies: int, rounds: int, command: str
) -> str:
    rows = []
    for mode in modes:
        own = [one for one in found if one.mode == mode]
        pause = f"{median(one.pause_s for one in own):.2f}" if mode.workers == 1 else ""
        rows.append(
            (
                str(mode.workers),
                mode.words,
                f"{median(one.cpu_s / studies for one in own):.1f}",
                f"{median(studies / one.wall_s * 3600 for one in own):.0f}",
                pause,
                f"{max(one.peak_mb for one in own) / 1024:.2f}",
            )
        )
    heads = (
        "workers",
        "processes",
        "processor seconds per study",
        "studies an hour",
        "seconds between studies",
        "peak of a study (GB)",
    )
    load = os.getloadavg()[1]
    lines = [
        "# Throughput of the node",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{os.cpu_count()} processors, load {load:.1f} at the end (mean of five minutes).",
        "",
        f"`oarflow node batch` contours {studies} copies of one CT, {rounds} time(s) for each row, "
        "the rows in turns. Processor time holds for all processes of the command, with reading, "
        "database and start. Other work on the machine changes all figures, and the "
        "processor time less than the others. All rows have the same volumes of all organs.",
        "",
        markdown_table(heads, rows),
        "",
        "Cold: `studies_per_process: 1`, a process for each study. "
        f"Warm: `studies_per_process: {WARM_STUDIES}`.",
    ]
    return "\n".join(lines) + "\n"
