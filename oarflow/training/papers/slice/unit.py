"""One unit of SLICE's experiment: train a network, or go on; keep its figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from oarflow.tables import write_csv
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.crops import crop_of, write_crops
from oarflow.training.fitting.checkpoint import CHECKPOINT_NAME, read_checkpoint
from oarflow.training.fitting.loop import ProgressCallback, train
from oarflow.training.papers.slice.measurement import UnitScore, _clock, measure
from oarflow.training.papers.slice.plan import ExperimentSettings, Part, Unit
from oarflow.training.samplers.selection import sampler_for, validation_sampler

UNIT_NAME = "unit.json"

SCORES_NAME = "scores.csv"

CROPS_NAME = "crops.csv"


@dataclass(frozen=True)
class UnitSummary:
    """What a finished unit was. train_minutes: CPU minutes, from the mean over its steps."""

    unit: str
    steps: int
    parameters: int
    slices: int
    patients: dict[str, int]
    train_minutes: float


def train_unit(
    unit: Unit,
    settings: ExperimentSettings,
    cases: Mapping[Part, Sequence[TrainingCase]],
    folder: Path,
    *,
    device: str = "cpu",
    limit_s: float | None = None,
    report: ProgressCallback | None = None,
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
    measured: tuple[Part, ...] = ("tune", "test")
    rows = [
        measure(outcome.network, case, configuration, part, device)
        for part in measured
        for case in cases[part]
    ]
    _write_rows(rows, folder / SCORES_NAME)
    everyone = [case for some in cases.values() for case in some]
    crops = [crop_of(case, unit.organ, configuration) for case in everyone]
    write_crops(crops, folder / CROPS_NAME)
    summary = UnitSummary(
        unit.name,
        outcome.steps,
        sum(parameter.numel() for parameter in outcome.network.parameters()),
        len(sampler) if isinstance(sampler, Sized) else 0,
        {part: len(some) for part, some in cases.items()},
        round(pace * outcome.steps / 60, 2),
    )
    (folder / UNIT_NAME).write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
    return True


def read_unit(folder: Path) -> tuple[UnitSummary, list[UnitScore]] | None:
    """A finished unit's figures; None where it is not finished."""
    path = folder / UNIT_NAME
    if not path.exists():
        return None
    summary = UnitSummary(**json.loads(path.read_text(encoding="utf-8")))
    kinds: dict[str, Callable[[str], object]] = {"part": str, "case": str}
    with (folder / SCORES_NAME).open(newline="", encoding="utf-8") as file:
        rows = [
            UnitScore(**{key: kinds.get(key, float)(value) for key, value in row.items()})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]
    return summary, rows


def _write_rows(rows: Sequence[UnitScore], path: Path) -> None:
    write_csv(path, [field.name for field in fields(UnitScore)], map(astuple, rows))


def _steps_done(folder: Path) -> int:
    there = (folder / CHECKPOINT_NAME).exists()
    return int(read_checkpoint(folder)["step"]) if there else 0


def _pace(folder: Path, seconds: float, steps: int) -> float:
    """CPU seconds a step; the latest session that made steps decides."""
    path = folder / "pace.json"
    if steps > 0:
        path.write_text(json.dumps(seconds / steps), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else float("nan")
