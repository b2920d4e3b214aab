"""Processor time of the application beside an earlier version of it, in turns on two CTs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.resample import resampled
from oarflow.evaluation.application import RunError, model_files
from oarflow.evaluation.benchmarks.copies import copy_study
from oarflow.evaluation.benchmarks.stages import TimedStudy, study_folder
from oarflow.locations import ROOT, SAMPLE, shipped
from oarflow.tables import markdown_table

WARM_STUDIES = 3
"""Studies of a warm process. The first one is not counted."""

HEAD = """# Benchmark: an earlier version and today's

Made by `{command}`.

Both versions contour the same {count} organs, in turns. External, recipes and the report are off.
*Processor seconds* add up all threads of a study. The tables show the median of {runs} runs, and
the least and greatest.

| row | process |
| --- | --- |
| earlier, today | a new process for each study |
| today, warm | a process of `--each-study`: its further studies, without the first one |
"""


@dataclass(frozen=True)
class Cost:
    """What one study took. processor_s: of all threads. peak_mb: greatest resident memory."""

    processor_s: float
    wall_s: float
    peak_mb: float


@dataclass(frozen=True)
class TimedCT:
    """A CT and what it cost. costs: those of each row's runs."""

    title: str
    slices: int
    costs: Mapping[str, Sequence[Cost]]


def benchmark(study: TimedStudy, checkout: Path, *, runs: int, command: str) -> str:
    """Run both versions in turns on the study's CT and on one that reaches the lungs.

    checkout: folder of the earlier version's source, with its networks in models/; it runs with the
    packages of today's environment. Returns a Markdown page.
    Raises RunError where a run writes no RTSTRUCT.
    """
    organs = _organs(checkout / "models")
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        neck = _elsewhere(study_folder, study, folder)
        chest = _elsewhere(_sample, study, folder)
        cts = [
            TimedCT(title, sum(1 for _ in ct.iterdir()), _costs(ct, study, checkout, organs, runs))
            for title, ct in (("CT of the head and neck", neck), ("CT with lungs", chest))
        ]
    return page(cts, organs, runs, command)


def _elsewhere(work: Callable[[TimedStudy, Path], Path], study: TimedStudy, folder: Path) -> Path:
    """A CT's folder, made by another process.

    The peak of a process counts that of the process that started it, which has to stay small.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, study, folder).result()


def _sample(study: TimedStudy, folder: Path) -> Path:
    """The sample's CT, on the matrix of the timed study."""
    write_ct(
        resampled(shipped(SAMPLE) / "ct", study.matrix, study.slices, "lungs"), folder / "lungs"
    )
    return folder / "lungs"


def _costs(
    ct: Path, study: TimedStudy, checkout: Path, organs: Sequence[str], runs: int
) -> dict[str, list[Cost]]:
    """The costs of every row, in turns."""
    found: dict[str, list[Cost]] = {"earlier": [], "today": [], "today, warm": []}
    models = study.models.resolve()
    today = ("-m", models, "--quiet", "--no-report", "--organs", ",".join(organs))
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        for number in range(WARM_STUDIES):
            copy_study(ct, folder / "studies" / f"{number}", number)
        for number in range(runs):
            out = [folder / f"{place}-{number}" for place in range(4)]
            earlier = ("-m", "app", "-i", ct, "-o", out[0], "-m", checkout / "models", "--quiet")
            segment = ("-m", "oarflow", "segment")
            found["earlier"].append(cost_of(earlier, checkout, out[0]))
            found["today"].append(cost_of((*segment, ct, "-o", out[1], *today), ROOT, out[1]))
            each = ("--each-study", *today)
            one = (*segment, folder / "studies" / "0", "-o", out[2], *each)
            all_of_them = (*segment, folder / "studies", "-o", out[3], *each)
            first = cost_of(one, ROOT, out[2])
            every = cost_of(all_of_them, ROOT, out[3], studies=WARM_STUDIES)
            found["today, warm"].append(further(first, every, WARM_STUDIES - 1))
    return found


def further(first: Cost, every: Cost, count: int) -> Cost:
    """The mean cost of `count` further studies. every: of the first study and all of these."""
    return Cost(
        (every.processor_s - first.processor_s) / count,
        (every.wall_s - first.wall_s) / count,
        every.peak_mb,
    )


def _organs(models: Path) -> tuple[str, ...]:
    return tuple(sorted({organ for model in model_files(models) for organ in model.organs}))


def cost_of(parts: Sequence[str | Path], checkout: Path, out: Path, *, studies: int = 1) -> Cost:
    """Run Python with these arguments on a checkout's source.

    Raises RunError where `out` does not get one RTSTRUCT for each study.
    """
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-P", "-W", "ignore", *map(str, parts)]
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, _, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = 0  # wait4 has taken the status
    written = sum(1 for _ in out.rglob("*.dcm"))
    if written != studies:
        raise RunError(f"{checkout.name} wrote {written} RTSTRUCTs of {studies} studies")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def page(cts: Sequence[TimedCT], organs: Sequence[str], runs: int, command: str) -> str:
    """The figures as Markdown."""
    parts = [HEAD.format(command=command, count=len(organs), runs=runs)]
    parts += [f"## {ct.title}\n\n{ct.slices} slices.\n\n{_table(ct.costs)}\n" for ct in cts]
    return "\n".join(parts)


def _table(costs: Mapping[str, Sequence[Cost]]) -> str:
    before = median(one.processor_s for one in costs["earlier"])
    rows = [
        (
            name,
            _spread([one.processor_s for one in own]),
            f"{before / median(one.processor_s for one in own):.2f}",
            _spread([one.wall_s for one in own]),
            f"{median(one.peak_mb for one in own) / 1024:.2f}",
        )
        for name, own in costs.items()
    ]
    heads = ("version", "processor seconds", "times less", "wall seconds", "peak memory, GB")
    return markdown_table(heads, rows)


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
