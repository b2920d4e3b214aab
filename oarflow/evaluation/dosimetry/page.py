"""Dose differences as the page that people read, and mean volume histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oarflow.datasets.labels import DOUBTS
from oarflow.dose.figures import DVH_GY, STATISTICS, DoseStatistics
from oarflow.evaluation.dosimetry.doses import FolderDoses, OrganDose
from oarflow.evaluation.scoring.significance import ALPHA, PairedTest, holm, wilcoxon
from oarflow.evaluation.scoring.statistics import mean_sd, p_value
from oarflow.tables import markdown_table

LIMITS: Mapping[str, tuple[str, float]] = {
    "Brainstem": ("max_gy", 54.0),
    "SpinalCord": ("max_gy", 45.0),
    "Parotid_L": ("mean_gy", 26.0),
    "Parotid_R": ("mean_gy", 26.0),
    "Esophagus": ("mean_gy", 34.0),
    "Larynx": ("mean_gy", 44.0),
    "Bone_Mandible": ("max_gy", 70.0),
}
"""Limits that planners often use (QUANTEC and common protocols), in Gy: not the data set's own."""

WORST = 10
"""Contours listed with the largest difference of their mean dose."""


def table(doses: Sequence[OrganDose]) -> str:
    """Markdown: each organ's statistics inside both contours, their difference and its test.

    Of pairs that the dose grid covers wholly.
    """
    rows = []
    groups = _groups(doses)
    keys = [(organ, statistic) for organ in groups for statistic in STATISTICS]
    tests = {key: _test(groups[key[0]], key[1]) for key in keys}
    corrected = dict(zip(keys, holm([tests[key].p for key in keys]), strict=True))
    for organ, group in groups.items():
        compared = [one for one in group if one.comparable]
        missed = sum(one.predicted is None for one in group)
        partly = len(group) - missed - len(compared)
        counts: tuple[object, ...] = (organ, len(compared), missed, partly)
        for place, (statistic, name) in enumerate(STATISTICS.items()):
            key = organ, statistic
            rows.append(
                (
                    *(("",) * len(counts) if place else counts),
                    name,
                    *_cells(compared, statistic),
                    p_value(tests[key].p),
                    p_value(corrected[key]),
                )
            )
    return markdown_table(_ORGAN_HEAD, rows)


_ORGAN_HEAD = (
    "organ",
    "n, covered 100 %",
    "missed",
    "not wholly covered",
    "",
    "clinical (Gy)",
    "predicted (Gy)",
    "difference (Gy)",
    "median absolute difference",
    "greatest absolute difference",
    "p",
    "p, Holm",
)


def limits(doses: Sequence[OrganDose]) -> str:
    """Markdown: how often the limit is met in both contours, and how often they disagree.

    A pair that the dose grid does not cover wholly is not judged.
    """
    rows = []
    for organ, group in _groups(doses).items():
        if organ not in LIMITS:
            continue
        statistic, limit = LIMITS[organ]
        met = [
            (getattr(one.clinical, statistic) <= limit, getattr(one.predicted, statistic) <= limit)
            for one in group
            if one.comparable and one.predicted
        ]
        left_out = sum(one.predicted is not None for one in group) - len(met)
        counts = (
            sum(one for one, _ in met),
            sum(other for _, other in met),
            sum(one != other for one, other in met),
        )
        verdicts = counts if met else ("not judged" if left_out else "-",) * len(counts)
        rows.append((organ, f"{STATISTICS[statistic]} {limit:g} Gy", len(met), left_out, *verdicts))
    return markdown_table(_LIMITS_HEAD, rows)


_LIMITS_HEAD = (
    "organ",
    "limit",
    "judged, covered 100 %",
    "not judged",
    "met, clinical",
    "met, predicted",
    "verdicts that differ",
)


def worst(doses: Sequence[OrganDose]) -> str:
    """Markdown: the wholly covered contours whose mean dose differs most."""
    drawn = [one for one in doses if one.comparable]
    drawn.sort(key=lambda one: -abs(one.difference("mean_gy")))
    head = ("case", "organ", "clinical Dmean, covered 100 %", "difference", "Dice", "suspicious")
    rows = [
        (
            one.case,
            one.organ,
            f"{one.clinical.mean_gy:.1f}",
            f"{one.difference('mean_gy'):+.1f}",
            f"{one.dice:.2f}",
            one.doubt,
        )
        for one in drawn[:WORST]
    ]
    return markdown_table(head, rows)


def not_covered(doses: Sequence[OrganDose]) -> str:
    """Markdown: pairs that reach beyond the dose grid, with the figures of their covered parts."""
    sides = ("clinical", "predicted")
    names = [f"{side}, {name}" for side in sides for name in ("covered", *STATISTICS.values())]
    rows = [
        (one.case, one.organ, *_part(one.clinical), *_part(one.predicted))
        for one in doses
        if not one.covered
    ]
    return markdown_table(("case", "organ", *names), rows)


def markdown(
    doses: Sequence[OrganDose],
    source: str,
    command: str,
    date: str,
    remarks: Sequence[str] = (),
) -> str:
    """The whole page. source: whose plans these are, one sentence. command: what made it.

    remarks: what the reader should know of the cases, a line each.
    """
    sure = [one for one in doses if not one.doubt]
    cases = len({one.case for one in doses})
    outside = sum(not one.covered for one in doses)
    parts = [
        "# Dose in predicted and in clinical contours",
        f"Made by `{command}` on {date}, from {cases} cases. {source}",
    ]
    if outside:
        parts.append(
            f"**The dose grid covers {outside} of {len(doses)} organs only in part. These organs "
            "are not counted in any mean, test, limit or histogram.** [Not wholly "
            "covered](#not-wholly-covered) lists them."
        )
    parts += [
        "## By organ",
        table(doses),
        _READING,
        "## Limits",
        limits(doses),
        "These are limits that planners often use, not those of the data set. Verdicts differ if "
        "one contour meets the limit and the other does not.",
        "## Largest differences",
        worst(doses),
    ]
    if outside:
        parts += [
            "## Not wholly covered",
            "The table has the share of each contour's volume within the dose grid, and the dose "
            "of that part in Gy. The dose of the rest is unknown.",
            not_covered(doses),
        ]
    if len(sure) < len(doses):
        parts += [
            "## Without suspicious clinical contours",
            f"This is the first table again, without {len(doses) - len(sure)} suspicious clinical "
            f"contours. A contour is suspicious if {DOUBTS}.",
            table(sure),
        ]
    if remarks:
        parts += ["## Remarks", "\n".join(f"- {remark}" for remark in remarks)]
    return "\n\n".join(parts) + "\n"


_COLUMNS = {
    "clinical, predicted": "mean (SD) over cases",
    "difference": "predicted minus clinical",
    "D2%": "lowest dose in the hottest 2 % of the volume",
    "p": "Wilcoxon's signed-rank test of the pairs, two-sided",
    "p, Holm": f"the same, Holm-corrected over all rows; significant below {ALPHA:g}",
    "missed": "not contoured, and left out",
    "not wholly covered": "the clinical or the predicted contour reaches beyond the dose grid, and "
    "the pair is left out",
}

_READING = (
    markdown_table(("column", "meaning"), _COLUMNS.items())
    + """

The plans were made for the clinical contours. The table shows what a planner would read from the
same plan. It does not show the effect of a plan for the predicted contours. A difference that is
not significant can still be large: read the SD."""
)


def folder_remarks(found: FolderDoses) -> list[str]:
    """What the page says of folders of cases, a line each."""
    lines = [*found.remarks]
    lines += [f"{case} was not read: {why}." for case, why in found.failed.items()]
    if found.left_out:
        listed = ", ".join(f"{organ} ({n})" for organ, n in found.left_out.items())
        lines.append(f"In no prediction and left out: {listed}.")
    return lines


def plot(path: Path, doses: Sequence[OrganDose]) -> None:
    """Mean cumulative histograms by organ, clinical and predicted, and the band of their SD.

    Of pairs that the dose grid covers wholly. Raises ValueError where there are none.
    """
    from matplotlib.figure import Figure

    groups = {o: [one for one in g if one.comparable] for o, g in _groups(doses).items()}
    groups = {organ: group for organ, group in groups.items() if group}
    if not groups:
        raise ValueError("no contour is wholly in the dose grid: there is no histogram to draw")
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    axes: Any = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, (organ, group) in zip(axes.flat, groups.items(), strict=False):
        for name, colour, line in (("clinical", "#0072b2", "-"), ("predicted", "#d55e00", "--")):
            curves = np.array([getattr(one, f"{name}_dvh") for one in group])
            mean, spread = curves.mean(axis=0), curves.std(axis=0)
            axis.plot(DVH_GY, mean, color=colour, linestyle=line, label=name)
            axis.fill_between(
                DVH_GY,
                np.clip(mean - spread, 0, 1),
                np.clip(mean + spread, 0, 1),
                color=colour,
                alpha=0.12,
            )
        axis.set_title(f"{organ} (n = {len(group)})", loc="left", fontsize=9)
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(groups) :]:
        axis.set_axis_off()
    axes[0, 0].legend(fontsize=8)
    figure.supxlabel("dose (Gy)", fontsize=9)
    figure.supylabel("share of the volume", fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _groups(doses: Sequence[OrganDose]) -> dict[str, list[OrganDose]]:
    organs = dict.fromkeys(one.organ for one in doses)
    return {organ: [one for one in doses if one.organ == organ] for organ in organs}


def _test(group: Sequence[OrganDose], statistic: str) -> PairedTest:
    pairs = [
        (getattr(one.predicted, statistic), getattr(one.clinical, statistic))
        for one in group
        if one.comparable and one.predicted
    ]
    return wilcoxon([one for one, _ in pairs], [other for _, other in pairs])


def _cells(drawn: Sequence[OrganDose], statistic: str) -> tuple[str, ...]:
    if not drawn:
        return ("-",) * 5
    differences = np.array([one.difference(statistic) for one in drawn])
    absolute = np.abs(differences)
    sides = [[getattr(side, statistic) for side in sides] for sides in _sides(drawn)]
    return (
        mean_sd(sides[0], 2),
        mean_sd(sides[1], 2),
        mean_sd(differences.tolist(), 2, sign=True),
        f"{np.median(absolute):.2f}",
        f"{absolute.max():.1f}",
    )


def _part(found: DoseStatistics | None) -> tuple[str, ...]:
    """Cells of the covered share, rounded down, and of the statistics."""
    if found is None:
        return ("-",) * (len(STATISTICS) + 1)
    values = [getattr(found, name) for name in STATISTICS]
    gy = ["-" if math.isnan(value) else f"{value:.2f}" for value in values]
    return (f"{math.floor(found.covered * 1000) / 10:.1f} %", *gy)


def _sides(drawn: Sequence[OrganDose]) -> tuple[list[Any], list[Any]]:
    return [one.clinical for one in drawn], [one.predicted for one in drawn]
