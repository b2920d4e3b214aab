"""Seconds and peak memory of the application by stage, beside what one would run instead."""

from __future__ import annotations

import platform
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import torch

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.resample import resampled
from oarflow.errors import ExitStatus
from oarflow.evaluation.application import FinishedRun, RunError, run_application
from oarflow.evaluation.benchmarks.sliding_window import (
    CHANNELS,
    SPACING_MM,
    WINDOW,
    SlidingWindow,
    resampled_shape,
    time_pass,
)
from oarflow.tables import markdown_table


@dataclass(frozen=True)
class TimedStudy:
    """What is timed.

    ct: folder of a CT, taken as it is; None for the one in `archive` (tar.xz), resampled to
    `slices` slices of `matrix` x `matrix`. windows: of the whole-volume network, to be timed.
    window, channels: that network's; other than the defaults only to try the program.
    """

    ct: Path | None
    archive: Path | None
    models: Path
    matrix: int
    slices: int
    windows: int
    window: tuple[int, int, int] = WINDOW
    channels: tuple[int, ...] = CHANNELS


def benchmark(study: TimedStudy, *, runs: int, command: str) -> str:
    """Time the application and the whole-volume pass on one CT; a markdown page.

    Raises RunError where a run did not write an RTSTRUCT, ValueError where no CT is named.
    """
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        ct = study_folder(study, folder)
        finished = []
        for number in range(runs):
            run = run_application(ct, folder / f"out{number}", study.models.resolve())
            if run.result.exit_status != ExitStatus.WRITTEN:
                raise RunError(f"exit status {run.result.exit_status}")
            finished.append(run)
    middle = sorted(finished, key=lambda run: run.result.run.seconds)[len(finished) // 2]
    seen = middle.result.input
    if seen is None:
        raise RunError("result.json says nothing of the input")
    shape = resampled_shape((seen.slices, seen.rows, seen.columns), seen.spacing_mm, study.window)
    # The application may have run on a GPU; the network beside it runs where it did.
    device = "cuda" if (middle.result.run.device or "").startswith("cuda") else "cpu"
    other = time_pass(shape, study.windows, device, window=study.window, channels=study.channels)
    return page(finished, middle, other, study, command)


def study_folder(study: TimedStudy, folder: Path) -> Path:
    """The folder of the CT; made in `folder` from the archive where no CT is named.

    Raises ValueError where neither is named.
    """
    if study.ct is not None:
        return study.ct.resolve()
    if study.archive is None:
        raise ValueError("neither a CT nor an archive is named")
    with tarfile.open(study.archive) as archive:
        archive.extractall(folder / "original", filter="data")
    case = resampled(folder / "original", study.matrix, study.slices, "benchmark")
    write_ct(case, folder / "ct")
    return folder / "ct"


def page(
    runs: Sequence[FinishedRun],
    middle: FinishedRun,
    other: SlidingWindow,
    study: TimedStudy,
    command: str,
) -> str:
    """The figures as markdown. middle: the run whose stages are shown."""
    run, seen = middle.result.run, middle.result.input
    assert seen is not None
    total = median(one.result.run.seconds for one in runs)
    organs = [part for part in middle.result.organs if part.status.written]
    lines = [
        "# Benchmark",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{torch.get_num_threads()} threads, device {run.device}.",
        "",
        f"CT of {seen.rows} x {seen.columns} x {seen.slices}, spacing (z, y, x) "
        f"{' x '.join(f'{mm:.3g}' for mm in seen.spacing_mm)} mm; {len(organs)} organs contoured; "
        f"{len(runs)} run(s), stages of the middle one.",
        "",
        markdown_table(
            ("stage", "seconds"),
            [
                *((stage, f"{seconds:.1f}") for stage, seconds in run.stages.items()),
                ("**whole run, from start to end**", f"**{total:.1f}**"),
            ],
        ),
        "",
        f"Peak memory {run.peak_memory_mb / 1024:.2f} GB.",
        "",
        markdown_table(
            ("organ", "status", "seconds"),
            [(part.name, part.status, f"{part.seconds:.1f}") for part in middle.result.organs],
        ),
        "",
        "## Compared with a whole-volume network",
        "",
        f"A whole-volume sliding window of MONAI's DynUNet ({len(study.channels)} stages, "
        f"{study.channels[0]} to {study.channels[-1]} channels, {other.parameters / 1e6:.1f} "
        f"million random weights) at {' x '.join(f'{mm:g}' for mm in SPACING_MM)} mm: "
        f"{' x '.join(map(str, other.shape))} voxels, windows of "
        f"{' x '.join(map(str, study.window))}, half overlapping, hence {other.windows} windows. "
        f"{len(other.window_seconds)} were timed ("
        f"{', '.join(f'{seconds:.2f}' for seconds in other.window_seconds)} s) and the median "
        "scaled to all: an estimate, without reading, resampling, contours or test-time mirroring.",
        "",
        markdown_table(
            ("", "seconds"),
            [
                ("the application, all of it", f"{total:.1f}"),
                ("the other network's windows alone (scaled)", f"{other.seconds:.0f}"),
                ("ratio", f"{other.seconds / total:.1f}"),
            ],
        ),
    ]
    return "\n".join(lines) + "\n"
