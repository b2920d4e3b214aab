"""Writing an RTSTRUCT, ours beside rt-utils: CPU seconds, memory, and error against formulas.

`oarflow evaluate benchmark-rtstruct` makes 41 ellipsoids on 200 slices of 512 x 512, has both write
them in processes of their own, and compares the files with the exact ellipsoids. rt-utils
gets the boolean masks, ours the probability fields that a network would give; making and loading
either is outside the timing. Both are compared in the same minutes on the same machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from oarflow.clock import run_time
from oarflow.errors import Fault
from oarflow.evaluation.benchmarks.ellipsoids import (
    FIRST_LPS,
    SHAPE,
    STEP_MM,
    Ellipsoid,
    ellipsoids,
    source_and_grid,
    write_inputs,
)
from oarflow.rtstruct.contours import structure_set
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.rtstruct.writer import write_rtstruct
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.tables import markdown_table

RT_UTILS_PINS = (
    "rt-utils==1.2.7",
    "numpy==2.4.6",
    "pydicom==3.0.2",
    "opencv-python==5.0.0.93",
)
OURS = f"""
import json, pathlib, sys
from {__name__} import write_ours
print(json.dumps(write_ours(*map(pathlib.Path, sys.argv[1:3]))))
"""
"""The program of our side's process: FOLDER OUTPUT, one line of JSON."""


@dataclass(frozen=True)
class Figures:
    """What one program took and how near it came.

    cpu_s: user and system seconds of this process, all threads. memory_mb: peak above the process
    with its imports. surface_mm: of contour points and edge middles from the exact ellipse, radial.
    volume_percent: mean absolute error of the organs' stacked areas.
    """

    program: str
    open_s: float
    contour_s: float
    save_s: float
    cpu_s: float
    memory_mb: float
    file_mb: float
    contours: int
    points: int
    surface_mean_mm: float
    surface_p95_mm: float
    volume_percent: float


class _FieldLoader:
    """Fields from files, one at a time; the CPU seconds that loading takes are kept apart."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.npz"))
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Segmentation]:
        for path in self.paths:
            began = time.process_time()
            with np.load(path) as stored:
                z, y, x = (int(part) for part in stored["offset"])
                field = ProbabilityField(stored["values"], (z, y, x))
            self.seconds += time.process_time() - began
            yield Segmentation(path.stem, Status.SEGMENTED, field)


def write_ours(folder: Path, output: Path) -> dict[str, float]:
    """Contour and write all fields; seconds and memory."""
    bare = _peak_mb()
    source, grid = source_and_grid()
    loader = _FieldLoader(folder / "fields")
    specs = {path.stem: RoiSpec(path.stem, path.stem, (255, 0, 0)) for path in loader.paths}
    began = time.process_time()
    structures, _ = structure_set(source, grid, loader, specs)
    contoured = time.process_time() - began - loader.seconds
    began = time.process_time()
    provenance = Provenance("0" * 64, "cpu")
    write_rtstruct(output, structures, source, grid, provenance=provenance, when=run_time())
    saved = time.process_time() - began
    return {
        "open_s": 0.0,
        "contour_s": contoured,
        "save_s": saved,
        "peak_mb": _peak_mb(),
        "bare_mb": bare,
    }


def _peak_mb() -> float:
    """Peak resident memory of this process since it was started, in MB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def judged(program: str, output: Path, run: dict[str, float], bodies: list[Ellipsoid]) -> Figures:
    """Figures of one program: its run, and its file against the formulas."""
    dataset = dcmread(output)
    by_number = {roi.ROINumber: str(roi.ROIName) for roi in dataset.StructureSetROISequence}
    wanted = {body.name: body for body in bodies}
    distances, errors, contours, points = [], [], 0, 0
    for roi in dataset.ROIContourSequence:
        body = wanted[by_number[roi.ReferencedROINumber]]
        volume = 0.0
        for item in roi.ContourSequence:
            ring = np.array(item.ContourData, dtype=float).reshape(-1, 3) - FIRST_LPS
            contours, points = contours + 1, points + len(ring)
            volume += _area(ring) * STEP_MM
            distances.append(_radial_distances(ring, body))
        errors.append(abs(volume / _stacked_volume(body) - 1))
    distance = np.concatenate(distances)
    return Figures(
        program=program,
        open_s=run["open_s"],
        contour_s=run["contour_s"],
        save_s=run["save_s"],
        cpu_s=run["open_s"] + run["contour_s"] + run["save_s"],
        memory_mb=run["peak_mb"] - run["bare_mb"],
        file_mb=output.stat().st_size / 1e6,
        contours=contours,
        points=points,
        surface_mean_mm=float(distance.mean()),
        surface_p95_mm=float(np.percentile(distance, 95)),
        volume_percent=100 * float(np.mean(errors)),
    )


def _area(ring: NDArray[np.float64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())) / 2


def _radial_distances(ring: NDArray[np.float64], body: Ellipsoid) -> NDArray[np.float64]:
    """Distance of points and edge middles from the ellipse of their slice, along the radius."""
    flat = ring[:, :2]
    places = np.concatenate((flat, (flat + np.roll(flat, -1, axis=0)) / 2))
    off = places - np.array((body.centre[2], body.centre[1]))
    inside = max(1 - ((ring[0, 2] - body.centre[0]) / body.half[0]) ** 2, 1e-12)
    half = np.sqrt(inside) * np.array((body.half[2], body.half[1]))
    ratio = np.sqrt(((off / half) ** 2).sum(axis=1))
    return np.asarray(np.abs(1 - 1 / ratio) * np.linalg.norm(off, axis=1))


def _stacked_volume(body: Ellipsoid) -> float:
    """Exact areas of the slices, stacked, in mm3."""
    z = np.arange(SHAPE[0]) * STEP_MM
    inside = np.clip(1 - ((z - body.centre[0]) / body.half[0]) ** 2, 0, None)
    return float((np.pi * body.half[1] * body.half[2] * inside).sum() * STEP_MM)


def rt_utils_python(environments: Path) -> Path:
    """The interpreter of rt-utils' own environment, which is made where it is missing."""
    folder = environments / "rt-utils"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *RT_UTILS_PINS], check=True)
    return python


def _run(command: list[str | Path]) -> dict[str, float]:
    """Run a program that ends its output with one line of JSON, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, check=True, env=environment, stdout=subprocess.PIPE, text=True
        )
    except subprocess.CalledProcessError as error:
        raise Fault(f"{Path(command[0]).name}: exit status {error.returncode}") from error
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def benchmark(environments: Path = Path(".venvs")) -> list[Figures]:
    """Both programs on the same bodies: ours first."""
    bodies = ellipsoids()
    peer = Path(__file__).with_name("rt_utils_peer.py")
    with tempfile.TemporaryDirectory(prefix="oarflow-rtstruct-") as name:
        folder = Path(name)
        write_inputs(folder, bodies)
        ours, theirs = folder / "ours.dcm", folder / "rt_utils.dcm"
        runs = [
            _run([sys.executable, "-c", OURS, folder, ours]),
            _run(
                [
                    rt_utils_python(environments),
                    "-P",
                    peer,
                    folder / "ct",
                    folder / "fields",
                    theirs,
                ]
            ),
        ]
        return [
            judged("OARflow", ours, runs[0], bodies),
            judged("rt-utils 1.2.7", theirs, runs[1], bodies),
        ]


ROWS = {
    "open_s": "opening the CT (s)",
    "contour_s": "contouring (s)",
    "save_s": "saving (s)",
    "cpu_s": "all three (s)",
    "memory_mb": "peak memory, without program and libraries (MB)",
    "file_mb": "size of the file (MB)",
    "contours": "contours",
    "points": "points",
    "surface_mean_mm": "distance from the exact surface, mean (mm)",
    "surface_p95_mm": "distance from the exact surface, 95th percentile (mm)",
    "volume_percent": "error of the volume, mean (%)",
}
"""Words for the fields of Figures."""

PAGE = """# Writing RTSTRUCT, beside rt-utils

Made by `oarflow evaluate benchmark-rtstruct`. Both programs write 41 ellipsoids on 200 slices of
512 x 512 pixels. OARflow starts from probability fields, rt-utils from boolean masks. Times are CPU
seconds, on one thread.

{table}
"""


def page(figures: list[Figures]) -> str:
    """The result as Markdown, one program a column."""
    rows = []
    for key, words in ROWS.items():
        values = (asdict(entry)[key] for entry in figures)
        shown = (f"{v:.3f}" if isinstance(v, float) else f"{v:,}" for v in values)
        rows.append((words, *shown))
    table = markdown_table(("", *(entry.program for entry in figures)), rows)
    return PAGE.format(table=table)
