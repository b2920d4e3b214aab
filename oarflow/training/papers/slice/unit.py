"""One unit of SLICE's experiment: train a network, or go on; measure it; keep the figures."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from oarflow.training.cases import TrainingCase
from oarflow.training.checkpoint import CHECKPOINT_NAME, read_checkpoint
from oarflow.training.configuration import Configuration
from oarflow.training.crops import Crop, crop_of, cut, paste_back, write_crops
from oarflow.training.experiment.plan import Part, Settings, Unit
from oarflow.training.loop import Report, train
from oarflow.training.samplers import sampler_for, validation_sampler
from oarflow.training.slices import scale_window

UNIT_NAME = "unit.json"
SCORES_NAME = "scores.csv"
CROPS_NAME = "crops.csv"
INFERENCE_BATCH = 16


@dataclass(frozen=True)
class Row:
    """One patient: Dice and IoU of the organ over its labelled slices, on the CT's own grid.

    seconds: CPU seconds (the wall's with a GPU) from CT to pasted mask, all slices of the scan.
    """

    part: Part
    case: str
    dice: float
    iou: float
    seconds: float


@dataclass(frozen=True)
class Facts:
    """What a finished unit was. train_minutes: CPU minutes, from the mean over its steps."""

    unit: str
    steps: int
    parameters: int
    slices: int
    patients: dict[str, int]
    train_minutes: float


def run(
    unit: Unit,
    settings: Settings,
    cases: Mapping[Part, Sequence[TrainingCase]],
    folder: Path,
    *,
    device: str = "cpu",
    limit_s: float | None = None,
    report: Report | None = None,
) -> bool:
    """Train and measure one unit in its folder; False where the time limit came before its end."""
    configuration = unit.configuration(settings)
    sampler = sampler_for(cases["fit"], configuration)
    validation = validation_sampler(cases["tune"], configuration)
    before = _steps_done(folder)
    clock = _clock(device)
    started = clock()
    outcome = train(
        sampler,
        configuration,
        folder,
        device,
        report,
        validation=validation,
        limit_s=limit_s,
    )
    pace = _pace(folder, clock() - started, outcome.steps - before)
    if outcome.steps < configuration.steps:
        return False
    judged: tuple[Part, ...] = ("tune", "test")
    rows = [
        measure(outcome.network, case, configuration, part, device)
        for part in judged
        for case in cases[part]
    ]
    _write_rows(rows, folder / SCORES_NAME)
    everyone = [case for some in cases.values() for case in some]
    crops = [crop_of(case, unit.organ, configuration) for case in everyone]
    write_crops(crops, folder / CROPS_NAME)
    facts = Facts(
        unit.name,
        outcome.steps,
        sum(parameter.numel() for parameter in outcome.network.parameters()),
        len(sampler) if isinstance(sampler, Sized) else 0,
        {part: len(some) for part, some in cases.items()},
        round(pace * outcome.steps / 60, 2),
    )
    (folder / UNIT_NAME).write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
    return True


def measure(
    network: nn.Module, case: TrainingCase, configuration: Configuration, part: Part, device: str
) -> Row:
    """One patient's Row. The patch lies about the reference's centre, as in the paper."""
    organ = configuration.organs[0]
    crop = crop_of(case, organ, configuration)
    everywhere = replace(crop, first=0, last=case.ct.shape[0] - 1)
    network = network.to(device).eval()
    clock = _clock(device)
    started = clock()
    found = predict(network, case, everywhere, configuration) >= 0.5
    seconds = clock() - started
    planes = slice(crop.first, crop.last + 1)
    dice, iou = overlap(case.labelled(found)[planes], case.masks[organ][planes])
    return Row(part, case.name, dice, iou, seconds)


def predict(
    network: nn.Module, case: TrainingCase, crop: Crop, configuration: Configuration
) -> NDArray[np.float32]:
    """(z, y, x) probabilities on the CT's grid: cut, run, pasted back."""
    device = next(network.parameters()).device
    images = scale_window(cut(case, crop, configuration), configuration.window)
    with torch.inference_mode():
        values = [
            torch.sigmoid(network(images[start : start + INFERENCE_BATCH].to(device))).cpu()
            for start in range(0, len(images), INFERENCE_BATCH)
        ]
    return paste_back(torch.cat(values)[:, 0].numpy(), crop, case, configuration)


def overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Dice and IoU of two masks, one where both are empty."""
    both, either = int((found & truth).sum()), int((found | truth).sum())
    if not either:
        return 1.0, 1.0
    return 2 * both / (both + either), both / either


def read_unit(folder: Path) -> tuple[Facts, list[Row]] | None:
    """A finished unit's figures; None where it is not finished."""
    path = folder / UNIT_NAME
    if not path.exists():
        return None
    facts = Facts(**json.loads(path.read_text(encoding="utf-8")))
    kinds: dict[str, Callable[[str], object]] = {"part": str, "case": str}
    with (folder / SCORES_NAME).open(newline="", encoding="utf-8") as file:
        rows = [
            Row(**{key: kinds.get(key, float)(value) for key, value in row.items()})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
    return facts, rows


def _write_rows(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in rows)


def _clock(device: str) -> Callable[[], float]:
    """CPU seconds, which other work on the machine does not lengthen; the wall's with a GPU."""
    return time.process_time if device == "cpu" else time.perf_counter


def _steps_done(folder: Path) -> int:
    there = (folder / CHECKPOINT_NAME).exists()
    return int(read_checkpoint(folder)["step"]) if there else 0


def _pace(folder: Path, seconds: float, steps: int) -> float:
    """CPU seconds a step; the latest session that made steps decides."""
    path = folder / "pace.json"
    if steps > 0:
        path.write_text(json.dumps(seconds / steps), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else float("nan")
