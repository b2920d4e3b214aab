"""Whole systems side by side: several models folders on the same patients, one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from oarflow.evaluation.chain.run import CaseScores
from oarflow.evaluation.scoring.outcomes import OrganOutcome
from oarflow.evaluation.scoring.significance import holm, wilcoxon
from oarflow.evaluation.scoring.statistics import p_value, standard_deviation
from oarflow.tables import markdown_table, write_csv

Cell = Callable[[Mapping[str, OrganOutcome]], str]


@dataclass(frozen=True)
class Size:
    """What a models folder is: its networks, their parameters, what training them took."""

    networks: int
    parameters: int
    training_minutes: float

    @classmethod
    def of(cls, models: Path) -> Size:
        cards = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(models.glob("*/model.json"))
        ]
        return cls(
            len(cards),
            sum(card["parameters"] for card in cards),
            sum(card.get("training", {}).get("minutes", 0.0) for card in cards),
        )


@dataclass(frozen=True)
class System:
    """One models folder on all patients. cases: in the same order for every system.

    about: what the system is, in a sentence, or "".
    """

    name: str
    size: Size
    cases: tuple[CaseScores, ...]
    about: str = ""

    @property
    def scores(self) -> list[OrganOutcome]:
        return [score for case in self.cases for score in case.organs]

    def of_organ(self, organ: str) -> dict[str, OrganOutcome]:
        """By case."""
        return {score.case: score for score in self.scores if score.organ == organ}


def shared_organs(systems: Sequence[System]) -> tuple[str, ...]:
    """The organs that every system contours, in the first one's order.

    Raises ValueError where there is none.
    """
    known = [{score.organ for score in system.scores} for system in systems]
    first = dict.fromkeys(score.organ for score in systems[0].scores)
    organs = tuple(organ for organ in first if all(organ in some for some in known))
    if not organs:
        raise ValueError("the systems share no organ")
    return organs


_COLUMNS = {
    "networks, parameters, training minutes": "with the localization network; minutes on one core, "
    "from the model cards",
    "Dice": "mean of the organs' means",
    "in range": "the same on the slices from the reference's first to its last",
    "HD95": "mean of the organs' means, in mm, of existing contours",
    "missed": "references without a contour",
    "seconds": "median of a study, from DICOM to RTSTRUCT; all systems ran on the same machine, "
    "beside other work",
}


def markdown(systems: Sequence[System], *, title: str, command: str, date: str) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    organs = shared_organs(systems)
    told = [f"- {system.name}: {system.about}" for system in systems if system.about]
    parts = [
        f"# {title}",
        f"Made by `{command}` on {date}, from {len(systems[0].cases)} patients. Each CT was "
        "written as a DICOM series and contoured by the application with the networks of each "
        "system. The RTSTRUCT was then rasterised on the CT grid. Suspicious references are "
        "included.",
        "## Systems",
        _whole(systems, organs),
        *(["\n".join(told)] if told else []),
        markdown_table(("column", "meaning"), _COLUMNS.items()),
        "## Dice by organ: mean ± standard deviation",
        _by_organ(systems, organs),
        "## HD95 by organ: median, mm",
        _distances(systems, organs),
        "## Differences from the first system",
        _tests(systems, organs),
    ]
    return "\n\n".join(parts) + "\n"


def write_scores(path: Path, systems: Sequence[System]) -> None:
    """One line a system, case and organ; hd95_mm is blank where nothing was contoured."""
    rows = (
        (
            system.name,
            one.case,
            one.organ,
            one.status,
            f"{one.score.dsc:.4f}",
            f"{one.score.dsc_within:.4f}",
            None if one.hd95_mm is None else f"{one.hd95_mm:.4f}",
        )
        for system in systems
        for one in system.scores
    )
    write_csv(path, ("system", "case", "organ", "status", "dice", "dice_within", "hd95_mm"), rows)


def _whole(systems: Sequence[System], organs: Sequence[str]) -> str:
    rows = []
    for system in systems:
        groups = [list(system.of_organ(organ).values()) for organ in organs]
        size = system.size
        distances = [_hd95(group) for group in groups]
        rows.append(
            (
                system.name,
                size.networks,
                f"{size.parameters / 1e6:.2f}",
                f"{size.training_minutes:.0f}",
                f"{fmean(fmean(one.score.dsc for one in group) for group in groups):.3f}",
                f"{fmean(fmean(one.score.dsc_within for one in group) for group in groups):.3f}",
                f"{fmean(float(np.mean(some)) for some in distances if some):.1f}",
                sum(one.score.empty for group in groups for one in group),
                f"{np.median([case.seconds for case in system.cases]):.1f}",
            )
        )
    return markdown_table(_SYSTEMS_HEAD, rows)


_SYSTEMS_HEAD = (
    "system",
    "networks",
    "parameters (million)",
    "training minutes",
    "Dice",
    "in range",
    "HD95",
    "missed",
    "seconds",
)


def _hd95(group: Sequence[OrganOutcome]) -> list[float]:
    return [score.hd95_mm for score in group if score.hd95_mm is not None]


def _by_organ(systems: Sequence[System], organs: Sequence[str]) -> str:
    def cell(scores: Mapping[str, OrganOutcome]) -> str:
        dices = [one.score.dsc for one in scores.values()]
        return f"{np.mean(dices):.3f} ± {standard_deviation(dices):.3f}"

    return _table(systems, organs, cell)


def _distances(systems: Sequence[System], organs: Sequence[str]) -> str:
    def cell(scores: Mapping[str, OrganOutcome]) -> str:
        found = _hd95(list(scores.values()))
        return f"{np.median(found):.1f}" if found else "-"

    return _table(systems, organs, cell)


def _table(systems: Sequence[System], organs: Sequence[str], cell: Cell) -> str:
    rows = []
    for organ in organs:
        found = [system.of_organ(organ) for system in systems]
        rows.append((organ, len(found[0]), *map(cell, found)))
    return markdown_table(("organ", "n", *(system.name for system in systems)), rows)


def _tests(systems: Sequence[System], organs: Sequence[str]) -> str:
    first, *others = systems
    if not others:
        return "There is one system only."
    pairs = [(system, organ) for system in others for organ in organs]
    tests, differences = [], []
    for system, organ in pairs:
        one, other = first.of_organ(organ), system.of_organ(organ)
        cases = [case for case in one if case in other]
        ours, theirs = ([some[case].score.dsc for case in cases] for some in (one, other))
        tests.append(wilcoxon(theirs, ours).p)
        differences.append(float(np.mean(theirs) - np.mean(ours)))
    cells = {
        pair: f"{difference:+.3f} (p {p_value(p)})"
        for pair, difference, p in zip(pairs, differences, holm(tests), strict=True)
    }
    rows = [(organ, *(cells[system, organ] for system in others)) for organ in organs]
    lines = [
        f"Mean difference of Dice from {first.name}. p: Wilcoxon's signed-rank test, paired by "
        f"patient, Holm-corrected for all {len(pairs)} tests.",
        "",
        markdown_table(("organ", *(system.name for system in others)), rows),
    ]
    return "\n".join(lines)
