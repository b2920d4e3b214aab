"""Pictures of derived labels: many patients on a sheet, or every third slice of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from datasets.cases import Case, Mask
from datasets.derived.store import DerivedLabels, read_labels
from datasets.derived.voxels import bounding_box

COLOURS = {
    "Brain": "red",
    "Lung_L": "cyan",
    "Lung_R": "magenta",
    "Trachea": "lime",
    "SpinalCanal": "yellow",
}
PER_SHEET = 20
COLUMNS = 10
EVERY = 3
WINDOW_HU = (-1000.0, 400.0)
ROOM = 4
"""Voxels shown around an organ on its every-third-slice sheet."""


def write_sheets(cases: Iterable[Case], folder: Path) -> list[Path]:
    """sheet_N.png: 20 patients each, sagittal through the cord, coronal and axial.

    folder: where `<case>.npz` of the derived labels are, and the sheets go.
    """
    written = []
    for number, batch in enumerate(_batches(cases)):
        rows = 3 * -(-len(batch) // COLUMNS)
        figure = Figure(figsize=(2.2 * COLUMNS, 2.1 * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for place, case in enumerate(batch):
            labels = read_labels(folder / f"{case.id}.npz")
            row, column = divmod(place, COLUMNS)
            _patient(list(axes[3 * row : 3 * row + 3, column]), case, labels)
        written.append(_save(figure, folder / f"sheet_{number:02d}.png"))
    return written


def _batches(cases: Iterable[Case]) -> Iterator[list[Case]]:
    batch: list[Case] = []
    for case in cases:
        batch.append(case)
        if len(batch) == PER_SHEET:
            yield batch
            batch = []
    if batch:
        yield batch


def _patient(axes: Sequence[Axes], case: Case, labels: DerivedLabels) -> None:
    body = case.body if case.body is not None else np.ones(case.ct.shape, dtype=np.bool_)
    box = bounding_box(body)
    ct = case.ct[box]
    masks = {organ: labels.masks[organ][box] for organ in COLOURS if organ in labels.masks}
    middle = np.argwhere(masks["Trachea"] if "Trachea" in masks else body[box]).mean(axis=0)
    y, x = int(middle[1]), int(middle[2])
    if "SpinalCord" in case.masks and case.masks["SpinalCord"].any():
        x = int(np.median(np.argwhere(case.masks["SpinalCord"][box])[:, 2]))
    first = labels.slices[0] - box[0].start
    z = int(np.clip(first + 12, 0, len(ct) - 1))
    steps = case.spacing_zyx
    _view(
        axes[0], ct[::-1, :, x], {o: m[::-1, :, x] for o, m in masks.items()}, steps[0] / steps[1]
    )
    _view(axes[1], ct[::-1, y], {o: m[::-1, y] for o, m in masks.items()}, steps[0] / steps[2])
    _view(axes[2], ct[z], {o: m[z] for o, m in masks.items()}, steps[1] / steps[2])
    axes[0].set_title(case.id, fontsize=8)


def write_every_third(case: Case, labels: DerivedLabels, organ: str, path: Path) -> Path:
    """Every third slice of one organ, with one beyond each end; slice numbers of the case."""
    mask = labels.masks[organ]
    box = bounding_box(mask)
    rows_shown, columns_shown = (
        slice(max(0, part.start - ROOM), part.stop + ROOM) for part in (box[1], box[2])
    )
    levels = range(max(0, box[0].start - 1), min(len(mask), box[0].stop + EVERY), EVERY)
    columns = min(12, len(levels))
    rows = -(-len(levels) // columns)
    figure = Figure(figsize=(1.7 * columns, 1.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, level in zip(axes.flat, levels, strict=False):
        plane = (level, rows_shown, columns_shown)
        _view(axis, case.ct[plane], {organ: mask[plane]}, case.spacing_zyx[1] / case.spacing_zyx[2])
        axis.set_title(str(level), fontsize=6, pad=1)
    return _save(figure, path)


def _view(axis: Axes, ct: NDArray[np.generic], masks: dict[str, Mask], aspect: float) -> None:
    low, high = WINDOW_HU
    axis.imshow(ct, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="nearest")
    for organ, mask in masks.items():
        if mask.any() and not mask.all():
            axis.contour(mask, [0.5], colors=COLOURS[organ], linewidths=0.7)


def _save(figure: Figure, path: Path) -> Path:
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=60)
    return path
