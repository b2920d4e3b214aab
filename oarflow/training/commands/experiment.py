"""`oarflow train experiment`: a paper's own comparison, resumable."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from oarflow.training.commands.options import Options, open_data
from oarflow.training.commands.progress import progress
from oarflow.training.data.data_set import TrainingData
from oarflow.training.papers.slice.backbone_choice import CHOICE_NAME, write_choice
from oarflow.training.papers.slice.comparison import pairs
from oarflow.training.papers.slice.data_summary import data_summary, require_name
from oarflow.training.papers.slice.page import PAGE_NAME, write_page
from oarflow.training.papers.slice.plan import ExperimentSettings, read_parts
from oarflow.training.papers.slice.unit import UNIT_NAME, train_unit

OPENKBP_ORGANS = (
    "Parotid_L",
    "Larynx",
    "Brainstem",
    "Esophagus",
    "SpinalCord",
    "Parotid_R",
    "Bone_Mandible",
)


def run(options: Options) -> None:
    """Train and measure the experiment's networks one after another, then write its page.

    Beside the results, the choice of backbones too. --minutes: stop after so long; the next call
    continues. The page names missing networks. Raises ConfigurationError for data without a name.
    """
    data, settings = open_data(options), _settings(options)
    name = require_name(data)
    folder = settings.folder(options.work, name)
    _train(settings, data, folder, options)
    for unit in settings.units():
        state = "done" if (folder / unit.name / UNIT_NAME).exists() else "to do"
        sys.stdout.write(f"{unit.name:42} {state}\n")
    finished = pairs(settings, folder)
    if not finished:
        return
    page, choice = options.output or folder / PAGE_NAME, folder / CHOICE_NAME
    summary = data_summary(data, folder)
    command = _command(settings)
    write_page(settings, summary, folder, page, command=command, device=options.device)
    sys.stdout.write(f"{page}\n")
    if write_choice(settings, finished, choice, name):
        sys.stdout.write(f"{choice}\n")


def _settings(options: Options) -> ExperimentSettings:
    return ExperimentSettings(
        tuple(options.organs or OPENKBP_ORGANS),
        tuple(options.backbones),
        options.patients,
        options.steps,
        options.seed,
    )


def _train(
    settings: ExperimentSettings, data: TrainingData, folder: Path, options: Options
) -> None:
    """Train and measure the units that are not finished, until the minutes are over."""
    started = time.monotonic()
    for organ in settings.organs:
        units = [unit for unit in settings.units() if unit.organ == organ]
        units = [unit for unit in units if not (folder / unit.name / UNIT_NAME).exists()]
        cases = read_parts(data, organ, settings, folder) if units else {}
        for unit in units:
            left = None
            if options.minutes is not None:
                left = 60 * options.minutes - (time.monotonic() - started)
                if left <= 0:
                    break
            with progress(unit.name, settings.steps) as report:
                train_unit(
                    unit,
                    settings,
                    cases,
                    folder / unit.name,
                    device=options.device,
                    limit_s=left,
                    report=report,
                )


def _command(settings: ExperimentSettings) -> str:
    """What makes the page, as the page says it."""
    return (
        "oarflow train experiment slice --data DATA --work RUNS"
        f" --organs {' '.join(settings.organs)} --backbones {' '.join(settings.backbones)}"
        f" --patients {settings.patients} --steps {settings.steps} --seed {settings.seed}"
    )
