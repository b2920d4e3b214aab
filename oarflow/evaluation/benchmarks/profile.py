"""Where the processor time of one study goes, by kind of work, beside what the machine allows."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.utils.flop_counter import FlopCounterMode

from oarflow import api
from oarflow.networks.precision import has_bfloat16
from oarflow.tables import markdown_table

KINDS: Mapping[str, tuple[str, ...]] = {
    "reading files and headers": ("oarflow.api:read_volume",),
    "decoding": ("oarflow.intake.read:assemble",),
    "checking the input": ("oarflow.intake.read:judge_continuity", "oarflow.intake.read:judge_hu"),
    "loading networks": ("oarflow.networks.backend:load_network",),
    "convolution": ("oarflow.networks.backend:TorchScriptNetwork.probabilities",),
    "resampling for networks": (
        "oarflow.segmentation.predictions:input_batch",
        "oarflow.segmentation.localizer:input_batch",
        "oarflow.segmentation.localizer:image_batch",
    ),
    "resampling to the CT": ("oarflow.segmentation.predictions:paste_field",),
    "rules": ("oarflow.segmentation.ruled:Ruled.segment",),
    "flags": ("oarflow.plausibility.rules:assess",),
    "contours": ("oarflow.writing.proven:structure_set",),
    "writing": ("oarflow.writing.proven:write_rtstruct",),
    "self-check": ("oarflow.writing.proven:check_file",),
}
"""The functions that do each kind of work, as module:name where they are called."""

START, REST = "starting Python and importing", "everything else"

MATRIX = 2048
PRODUCTS = 8

HEAD = """# Benchmark: where the time goes

Made by `{command}`.

Processor seconds of one run on {files} files of {rows} x {columns}, {count} organs contoured, one
thread, {precision}. Each second counts for one kind of work only.

"""

LIMITS = """## Beside what the machine allows

The limit of convolution is the number of its operations ({gflop:.0f} GFLOP) over the measured rate
of a matrix product of {size} x {size} in {precision} ({rate:.0f} GFLOP a second of one processor).
The limit of reading is the time that reading all bytes of the files ({megabytes:.0f} MB) takes.

"""


class Stopwatch:
    """Processor time by kind of work. Time in a nested kind counts for that kind alone."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._running = [REST]
        self._since = clock()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def kind(self, name: str) -> Iterator[None]:
        """Count what happens inside for a kind of work."""
        self._turn()
        self._running.append(name)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def stop(self) -> None:
        """Count what happened since the last change."""
        self._turn()

    def _turn(self) -> None:
        now = self._clock()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


@contextmanager
def watched(stopwatch: Stopwatch) -> Iterator[None]:
    """Every function of KINDS counts for its kind. Raises AttributeError where one is missing."""
    with ExitStack() as stack:
        for kind, places in KINDS.items():
            for place in places:
                module, _, path = place.partition(":")
                owner = importlib.import_module(module)
                *outer, name = path.split(".")
                for part in outer:
                    owner = getattr(owner, part)
                work = _counted(getattr(owner, name), kind, stopwatch)
                stack.enter_context(patch.object(owner, name, work))
        yield


def _counted(work: Callable[..., Any], kind: str, stopwatch: Stopwatch) -> Callable[..., Any]:
    @functools.wraps(work)
    def counted(*given: Any, **named: Any) -> Any:
        with stopwatch.kind(kind):
            return work(*given, **named)

    return counted


@dataclass(frozen=True)
class MachineLimit:
    """What the machine allows. flop: of all networks of the run. rate: FLOP a processor second.

    size_bytes: of the CT's files. reading_s: processor seconds to read them.
    """

    flop: float
    rate: float
    size_bytes: int
    reading_s: float


def profile(ct: Path, models: Path, command: str) -> str:
    """Contour a CT twice, once with the stopwatch and once counting operations; a Markdown page."""
    torch.set_num_threads(1)  # threads that wait would count as work
    stopwatch = Stopwatch()
    with watched(stopwatch):
        result = api.contour(ct, models=models)
        stopwatch.stop()
    with FlopCounterMode(display=False) as counter:
        api.contour(ct, models=models)
    seconds = {START: starting_s(), **stopwatch.seconds}
    limit = MachineLimit(counter.get_total_flops(), matrix_rate(), *reading(ct))
    count = sum(organ.status.written for organ in result.values())
    slices, rows, columns = result.hu.shape
    head = HEAD.format(
        command=command,
        files=slices,
        rows=rows,
        columns=columns,
        count=count,
        precision=precision(),
    )
    return head + page(seconds, limit)


def page(seconds: Mapping[str, float], limit: MachineLimit) -> str:
    """The tables. seconds: by kind of work."""
    total = sum(seconds.values())
    order = [START, *KINDS, REST]
    rows = [
        (kind, f"{seconds.get(kind, 0.0):.2f}", f"{seconds.get(kind, 0.0) / total:.0%}")
        for kind in order
    ]
    rows.append(("**all**", f"**{total:.2f}**", ""))
    found = {
        "convolution": limit.flop / limit.rate,
        "reading files and headers": limit.reading_s,
    }
    limits = [
        (kind, f"{seconds[kind]:.2f}", f"{least:.2f}", f"{seconds[kind] / least:.1f}")
        for kind, least in found.items()
    ]
    overhead = 1 - found["convolution"] / total
    text = LIMITS.format(
        gflop=limit.flop / 1e9,
        size=MATRIX,
        rate=limit.rate / 1e9,
        precision=precision(),
        megabytes=limit.size_bytes / 1e6,
    )
    return (
        f"{markdown_table(('work', 'seconds', 'share'), rows)}\n\n{text}"
        f"{markdown_table(('work', 'seconds', 'limit', 'ratio'), limits)}\n\n"
        f"{overhead:.0%} of the processor time is not the least that convolution needs.\n"
    )


def precision() -> str:
    """The arithmetic of networks on this processor."""
    return "bfloat16" if has_bfloat16() else "single precision"


def starting_s() -> float:
    """Processor seconds to start Python and import what contouring needs."""
    code = "import oarflow.api, time; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def matrix_rate() -> float:
    """FLOP a processor second of a product of two square matrices, in the networks' arithmetic."""
    matrix = torch.rand(MATRIX, MATRIX, dtype=torch.bfloat16 if has_bfloat16() else torch.float32)
    times = []
    for _ in range(PRODUCTS):
        started = time.process_time()
        torch.mm(matrix, matrix)
        times.append(time.process_time() - started)
    return 2 * MATRIX**3 / min(times)


def reading(folder: Path) -> tuple[int, float]:
    """Size in bytes of all files, and processor seconds to read them."""
    started = time.process_time()
    size = sum(len(path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    return size, time.process_time() - started
