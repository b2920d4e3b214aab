"""The page of contours against two experts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from oarflow.compare.scores import finite
from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.chain.page import models_table
from oarflow.evaluation.experts.scores import OARFLOW, SHARED_ORGANS, SOURCES, ExpertScore
from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE
from oarflow.evaluation.scoring.significance import holm, wilcoxon
from oarflow.evaluation.scoring.statistics import p_value, share_with_interval
from oarflow.flags.codes import FlagCode
from oarflow.tables import markdown_table

MEASURES = {
    "Dice": ("dice", 3),
    "HD95 (mm)": ("hd95_mm", 1),
    "Surface Dice at 2 mm": ("surface_dice_2", 3),
    "Surface Dice at 3 mm": ("surface_dice_3", 3),
}
"""Attribute and decimals by heading."""


def markdown(
    scores: Sequence[ExpertScore],
    models: Sequence[ModelFile],
    *,
    patients: str,
    command: str,
    date: str,
    before: Sequence[ExpertScore] = (),
) -> str:
    """The whole page. patients: their number and ids. command: what made it. date: ISO 8601.

    before: scores of the same patients by other networks, to test the difference.
    """
    parts = [
        "# Agreement with two experts",
        f"Made by `{command}` on {date}, from {patients}. Each CT was written as a DICOM "
        "series and contoured by the application. The RTSTRUCT was then rasterised on the CT grid. "
        "The reference is the contour of an oncologist. Three contours are compared with it: "
        "OARflow's, that of the clinic that treated the patient (OpenKBP), and that of a second "
        "expert, a radiographer. Both experts followed one guideline; the clinics had their own.",
        *(f"## {heading}\n\n{_summary(heading, scores)}" for heading in MEASURES),
        _READING,
        *(_difference(scores, before) if before else ()),
        "## Flags",
        _flags(scores),
        "## Each patient",
        _patients(scores),
        "## Models",
        models_table(models),
    ]
    return "\n\n".join(parts) + "\n"


_READING = (
    "n: patients with a reference. If some of these patients have no such contour, the "
    "number of patients in the mean is in brackets. The mean of organs counts the organs that "
    "OpenKBP and the experts have in common. For the clinic, it leaves out the organs that the "
    "clinic did not draw. An organ without a contour counts with Dice 0 and is left out of HD95. "
    "An organ that the CT cuts off is left out, except the cord, the canal, the brain and the "
    "lungs, which are compared on the slices that OpenKBP published."
)


def _organs(scores: Sequence[ExpertScore]) -> list[str]:
    found = dict.fromkeys(score.organ for score in scores)
    shared = [organ for organ in SHARED_ORGANS if organ in found]
    return [*shared, *(organ for organ in found if organ not in shared)]


def _summary(heading: str, scores: Sequence[ExpertScore]) -> str:
    """Table of one measure, by organ and source."""
    name, digits = MEASURES[heading]
    means: dict[str, list[float]] = {source: [] for source in SOURCES}
    rows = []
    for organ in _organs(scores):
        own = [score for score in scores if score.organ == organ]
        count = len({score.patient for score in own})
        cells = []
        for source in SOURCES:
            values = finite(getattr(score, name) for score in own if score.source == source)
            if values and organ in SHARED_ORGANS:
                means[source].append(fmean(values))
            some = f" ({len(values)})" if len(values) < count else ""
            cells.append(f"{fmean(values):.{digits}f}{some}" if values else "-")
        rows.append((organ, count, *cells))
    cells = [f"{fmean(means[one]):.{digits}f}" if means[one] else "-" for one in SOURCES]
    rows.append(("**mean of organs**", "", *cells))
    return markdown_table(("organ", "n", *SOURCES), rows)


def _difference(scores: Sequence[ExpertScore], before: Sequence[ExpertScore]) -> list[str]:
    """Dice of both networks, organ by organ, with Wilcoxon's paired test, corrected by Holm."""
    pairs = {organ: _pairs(organ, scores, before) for organ in _organs(scores)}
    pairs = {organ: found for organ, found in pairs.items() if found}
    tests = [wilcoxon(*zip(*found, strict=True)) for found in pairs.values()]
    corrected = holm([test.p for test in tests])
    rows = []
    for (organ, found), p in zip(pairs.items(), corrected, strict=True):
        now, then = (fmean(values) for values in zip(*found, strict=True))
        better = sum(one > other for one, other in found)
        change = f"{now - then:+.3f}"
        rows.append((organ, len(found), f"{then:.3f}", f"{now:.3f}", change, better, p_value(p)))
    head = ("organ", "n", "before", "now", "difference", "better in", "p (Wilcoxon, Holm)")
    return ["## Difference from the earlier networks (Dice)", markdown_table(head, rows)]


def _flags(scores: Sequence[ExpertScore]) -> str:
    """How many good, middling and failed contours of OARflow have a flag, by organ."""
    own = [score for score in scores if score.source == OARFLOW]
    groups = [(organ, [one for one in own if one.organ == organ]) for organ in _organs(scores)]
    rows = []
    for name, group in (*groups, ("**all**", own)):
        good = [one for one in group if one.dice > GOOD_DICE]
        failed = [one for one in group if one.dice < FAILED_DICE]
        between = [one for one in group if FAILED_DICE <= one.dice <= GOOD_DICE]
        rows.append((name, *(_flagged(part) for part in (good, between, failed))))
    head = (
        "organ",
        f"Dice over {GOOD_DICE:g}, flagged",
        f"Dice {FAILED_DICE:g} to {GOOD_DICE:g}, flagged",
        f"Dice under {FAILED_DICE:g}, flagged",
    )
    return f"{_FLAGS_READING}\n\n{markdown_table(head, rows)}"


_FLAGS_READING = (
    "Contours of OARflow with at least one flag, the study's flags included. "
    f"{FlagCode.FIELD_OF_VIEW} does not count, because every CT that cuts an organ off has it. "
    "Intervals are 95 % (Clopper and Pearson)."
)


def _flagged(group: Sequence[ExpertScore]) -> str:
    return share_with_interval(sum(1 for one in group if one.flags), len(group))


def _pairs(
    organ: str, scores: Sequence[ExpertScore], before: Sequence[ExpertScore]
) -> list[tuple[float, float]]:
    then = {one.patient: one.dice for one in before if (one.organ, one.source) == (organ, OARFLOW)}
    return [
        (one.dice, then[one.patient])
        for one in scores
        if (one.organ, one.source) == (organ, OARFLOW) and one.patient in then
    ]


def _patients(scores: Sequence[ExpertScore]) -> str:
    head = (
        "patient",
        "organ",
        "contour",
        "Dice",
        "HD95 (mm)",
        "surface Dice at 2 mm",
        "at 3 mm",
        "volume (cc)",
        "expert's (cc)",
        "flags",
    )
    rows = (
        (
            one.patient,
            one.organ,
            one.source,
            f"{one.dice:.3f}",
            f"{one.hd95_mm:.1f}",
            f"{one.surface_dice_2:.3f}",
            f"{one.surface_dice_3:.3f}",
            f"{one.volume_cc:.1f}",
            f"{one.reference_cc:.1f}",
            ", ".join(one.flags),
        )
        for one in scores
    )
    return markdown_table(head, rows)
