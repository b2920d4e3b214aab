"""What the commands of oarflow train do that judge networks: scores, comparisons, pages."""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from oarflow.networks.store import ModelStore
from oarflow.training.agreement import compare_pairs
from oarflow.training.commands import progress
from oarflow.training.comparisons import (
    DICE,
    Row,
    page,
    step_scores,
    together,
    view_scores,
    write_rows,
)
from oarflow.training.data import TrainingData
from oarflow.training.experiment.choice import CHOICE_NAME, write_choice
from oarflow.training.experiment.comparison import pairs
from oarflow.training.experiment.facts import data_facts, named
from oarflow.training.experiment.page import PAGE_NAME, write_page
from oarflow.training.experiment.plan import Settings, read_parts
from oarflow.training.experiment.unit import UNIT_NAME, run
from oarflow.training.fusion import view_surfaces
from oarflow.training.localizers import compare
from oarflow.training.tuning import Score, score_case

VIEWS_ABOUT = """\
The tuning patients, maps on the coarse grid. Weighted cross-entropy makes each view say an organ
far beyond its surface. So each view's map is cut where it puts the surface when it is asked alone,
learned from the same fitting patients and in the same way as the fusion's weights. A sagittal plane
does not show which side it lies on: a view that says nothing of an organ has 0.

The paper's table 1 (MICCAI 2015, 1 mm; percent, in the same order of views): Brainstem 84.3, 81.2,
80.4, fusion 85.2; Mandible 89.5, 85.6, 88.5, fusion 90.1; Parotid_L 79.2, 76.0, 76.4, fusion 80.2;
Parotid_R 80.1, 76.4, 77.0, fusion 81.0."""

STEPS_ABOUT = """\
The tuning patients; the mandible in the box of the reference's parotid, grown by 17 mm. One step: a
network over the whole volume. Two steps: the parotid's network, then one that reads the box about
its contour. The piece of mandible is called `Mandible_Ramus`, left and right.

The paper, on its own 30 test patients: two steps were better for each of its six organs, mostly
with p < 0.05; for the skin by 7 % than a 3-D U-Net and by 2 % than nnU-Net in one step. Its two
steps reach a Dice of 0.93 for the mandible's ramus."""


def tune(data: TrainingData, models: Path, jitter: float | None, output: Path) -> None:
    """Score the models on the split's tuning patients; the table goes to output as CSV."""
    store = ModelStore.open(models, device="cpu")
    by_organ: dict[str, list[Score]] = defaultdict(list)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Score)])
        for case in data.read(data.split.tune, mr=store.reads_mr):
            for score in score_case(case, store, jitter):
                by_organ[score.organ].append(score)
                writer.writerow(astuple(score))
    for organ, scores in by_organ.items():
        dices = [score.dice for score in scores]
        inside = statistics.mean(score.dice_inside for score in scores)
        sys.stdout.write(
            f"{organ:14} n {len(dices):3}  Dice mean {statistics.mean(dices):.3f}"
            f" median {statistics.median(dices):.3f} min {min(dices):.3f}"
            f"  within the reference's slices {inside:.3f}\n"
        )
        lost = Counter(score.reason or score.status for score in scores if not score.contoured)
        for reason, count in lost.most_common():
            sys.stdout.write(f"{'':14} not contoured in {count} of them: {reason}\n")


def localizers(data: TrainingData, models: list[Path], output: Path) -> None:
    """Compare the localizers of several models folders on the split's tuning patients."""
    compare(data.keep(data.split.tune, output.parent), models, output)


def agreement(data: TrainingData, models: list[Path], output: Path) -> None:
    """Compare two models folders, organ by organ, on the split's tuning patients."""
    first, second = (ModelStore.open(folder, device="cpu") for folder in models)
    mr = first.reads_mr or second.reads_mr
    compare_pairs(data.read(data.split.tune, mr=mr), first, second, output)


def views(data: TrainingData, models: Path, output: Path, most: int | None, device: str) -> None:
    """C2F's table 1 on the split's tuning patients: each view against their fusion."""
    store = ModelStore.open(models, device=device)
    if store.fusion is None:
        raise ValueError(f"{models} holds no fusion network")
    learned = data.split.fit[: store.fusion.card.training.cases]
    surfaces = view_surfaces(data.read(learned), store)
    rows = {DICE: list(view_scores(data.read(data.split.tune[:most]), store, surfaces))}
    title = "C2F: each view against their fusion (the paper's table 1)"
    _write(rows, output, title, f"views --models C2F{_some(most)}", VIEWS_ABOUT)


def steps(
    data: TrainingData, folders: list[Path], output: Path, most: int | None, device: str
) -> None:
    """TWOSTEP's comparison on the tuning patients: the mandible about the parotid."""
    one, two = (ModelStore.open(folder, device=device) for folder in folders)
    tuning = data.read(data.split.tune[:most], mr=one.reads_mr or two.reads_mr)
    rows: dict[str, list[Row]] = defaultdict(list)
    for measure, row in step_scores(tuning, one, two, "Mandible_Ramus_L", "Parotid_L"):
        rows[measure].append(row)
    for measure, found in rows.items():
        rows[measure] = [*found, *together(found, "both sides")]
    title = "TWOSTEP: one step against two, the mandible about the parotid"
    _write(rows, output, title, f"steps --models ONE TWO{_some(most)}", STEPS_ABOUT)


def _some(most: int | None) -> str:
    """The option that says how many patients at most."""
    return "" if most is None else f" --patients {most}"


def _write(
    rows: Mapping[str, Sequence[Row]], output: Path, title: str, command: str, about: str
) -> None:
    write_rows(rows, output.with_suffix(".csv"))
    made_by = f"oarflow train {command} --data DATA"
    output.write_text(page(rows, title, made_by, about), encoding="utf-8")


def slice_experiment(
    settings: Settings,
    data: TrainingData,
    work: Path,
    *,
    output: Path | None,
    minutes: float | None,
    device: str,
    command: str,
) -> None:
    """Train and measure the experiment's networks one after another, then write its page.

    Beside the results, the choice of backbones too. output: the page, None for beside the results.
    minutes: stop after so long; the next call goes on. The page says what is missing.
    Raises ConfigurationError for data without a name.
    """
    name = named(data)
    folder = settings.folder(work, name)
    started = time.monotonic()
    for organ in settings.organs:
        units = [unit for unit in settings.units() if unit.organ == organ]
        units = [unit for unit in units if not (folder / unit.name / UNIT_NAME).exists()]
        cases = read_parts(data, organ, settings, folder) if units else {}
        for unit in units:
            left = None if minutes is None else 60 * minutes - (time.monotonic() - started)
            if left is not None and left <= 0:
                break
            with progress(unit.name, settings.steps) as report:
                run(
                    unit,
                    settings,
                    cases,
                    folder / unit.name,
                    device=device,
                    limit_s=left,
                    report=report,
                )
    for unit in settings.units():
        state = "done" if (folder / unit.name / UNIT_NAME).exists() else "to do"
        sys.stdout.write(f"{unit.name:42} {state}\n")
    finished = pairs(settings, folder)
    if not finished:
        return
    page, choice = output or folder / PAGE_NAME, folder / CHOICE_NAME
    facts = data_facts(data, folder)
    write_page(settings, facts, folder, page, command=command, device=device)
    sys.stdout.write(f"{page}\n")
    if write_choice(settings, finished, choice, name):
        sys.stdout.write(f"{choice}\n")
