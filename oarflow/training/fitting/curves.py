"""What a training writes beside its checkpoint: its log, its validations, and both as a picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

LOG_NAME = "log.csv"
VALIDATION_NAME = "validation.csv"
CURVES_NAME = "curves.png"


def _append(path: Path, header: Sequence[str], row: Sequence[str | int]) -> None:
    """Add a row to a CSV file, and its header to a new one."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(header)
        writer.writerow(row)


def log_step(folder: Path, step: int, loss: float, seconds: float) -> None:
    """A row of log.csv. loss: its running mean. seconds: since the first step."""
    _append(folder / LOG_NAME, ("step", "loss", "seconds"), (step, f"{loss:.5f}", f"{seconds:.1f}"))


def log_validation(folder: Path, step: int, dice: float, iou: float, rate: float) -> None:
    """A row of validation.csv."""
    _append(
        folder / VALIDATION_NAME,
        ("step", "dice", "iou", "learning_rate"),
        (step, f"{dice:.5f}", f"{iou:.5f}", f"{rate:.3g}"),
    )


def draw_curves(folder: Path) -> None:
    """curves.png: the running mean of the loss, and the validations, by step."""
    losses = _columns(folder / LOG_NAME)
    validations = _columns(folder / VALIDATION_NAME)
    if not losses:
        return
    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.subplots()
    left.plot(losses["step"], losses["loss"], color="tab:blue")
    left.set_xlabel("step")
    left.set_ylabel("loss (running mean)", color="tab:blue")
    if validations:
        right = left.twinx()
        for name, style in (("dice", "-"), ("iou", "--")):
            right.plot(validations["step"], validations[name], style, color="tab:red", label=name)
        right.set_ylim(0, 1)
        right.set_ylabel("tuning patients: Dice, IoU", color="tab:red")
        right.legend(loc="lower right")
    figure.savefig(folder / CURVES_NAME, dpi=100)


def _columns(path: Path) -> dict[str, list[float]]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # A resumed training repeats the steps after its checkpoint: the later row counts.
    latest = {int(row["step"]): row for row in rows}
    ordered = [latest[step] for step in sorted(latest)]
    return {name: [float(row[name]) for row in ordered] for name in (rows[0] if rows else {})}
