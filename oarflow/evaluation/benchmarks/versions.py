"""Processor time of the application beside an earlier version of it, in turns on one CT."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from oarflow.evaluation.application import RunError, model_files
from oarflow.evaluation.benchmarks.stages import TimedStudy, study_folder
from oarflow.locations import ROOT
from oarflow.tables import markdown_table

HEAD = """# Benchmark: an earlier version and today's

Made by `{command}`.

Both versions contour the same {count} organs of one CT ({slices} files), each run in a new process,
in turns. External, recipes and the report are off. *Processor seconds* add up all threads of a
run. The table shows the median of {runs} runs, and the least and greatest.

"""


@dataclass(frozen=True)
class Cost:
    """What one run took. processor_s: of all its threads. peak_mb: greatest resident memory."""

    processor_s: float
    wall_s: float
    peak_mb: float


def benchmark(study: TimedStudy, checkout: Path, *, runs: int, command: str) -> str:
    """Run both versions in turns; a Markdown page.

    checkout: folder of the earlier version's source, with its networks in models/; it runs with the
    packages of today's environment.
    Raises RunError where a run writes no RTSTRUCT.
    """
    organs = _organs(checkout / "models")
    found: dict[str, list[Cost]] = {"earlier": [], "today": []}
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        ct = _prepared(study, folder)
        for number in range(runs):
            out = folder / f"earlier{number}"
            parts: list[str | Path] = [
                "-m",
                "app",
                "-i",
                ct,
                "-o",
                out,
                "-m",
                checkout / "models",
                "--quiet",
            ]
            found["earlier"].append(cost_of(parts, checkout, out))
            out = folder / f"today{number}"
            models = study.models.resolve()
            parts = ["-m", "oarflow", "segment", ct, "-o", out, "-m", models, "--quiet"]
            parts += ["--no-report", "--organs", ",".join(organs)]
            found["today"].append(cost_of(parts, ROOT, out))
        files = sum(1 for _ in ct.iterdir())
    return page(found, organs, files, command)


def _prepared(study: TimedStudy, folder: Path) -> Path:
    """The folder of the CT, made by another process.

    The peak of a process counts that of the process that started it, which has to stay small.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(study_folder, study, folder).result()


def _organs(models: Path) -> tuple[str, ...]:
    return tuple(sorted({organ for model in model_files(models) for organ in model.organs}))


def cost_of(parts: Sequence[str | Path], checkout: Path, out: Path) -> Cost:
    """Run Python with these arguments on a checkout's source. Raises RunError without RTSTRUCT."""
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
    if not any(out.rglob("*.dcm")):
        raise RunError(f"{checkout.name} wrote no RTSTRUCT")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def page(
    found: Mapping[str, Sequence[Cost]], organs: Sequence[str], slices: int, command: str
) -> str:
    """The figures as Markdown. found: the costs of each version's runs."""
    rows = [
        (
            name,
            _spread([one.processor_s for one in costs]),
            _spread([one.wall_s for one in costs]),
            f"{median(one.peak_mb for one in costs) / 1024:.2f}",
        )
        for name, costs in found.items()
    ]
    earlier, today = (median(one.processor_s for one in found[key]) for key in ("earlier", "today"))
    head = HEAD.format(command=command, count=len(organs), slices=slices, runs=len(found["today"]))
    table = markdown_table(
        ("version", "processor seconds", "wall seconds", "peak memory, GB"), rows
    )
    return (
        f"{head}{table}\n\nToday's version takes {earlier / today:.2f} times less processor time.\n"
    )


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
