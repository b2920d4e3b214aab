"""Scores by organ as text, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from oarflow.compare.scores import Score, by_organ
from oarflow.evaluation.comparison.folders import Comparison
from oarflow.evaluation.scoring.statistics import METRICS, MetricSummary, summary
from oarflow.tables import text_table, write_csv

OVERALL = "all contours"
OF_ORGANS = "mean of organs"

_LATEX_METRICS = ("dsc", "iou", "precision", "recall", "hd95_mm", "surface_dice", "added_path_mm")


def groups(scores: Sequence[Score], order: Sequence[str]) -> dict[str, list[Score]]:
    """Scores by organ, and all of them together."""
    return {**by_organ(scores, order), OVERALL: list(scores)}


def report(comparison: Comparison, order: Sequence[str], command: str, date: str) -> str:
    """The report in plain text. order: organs as tables list them. command: what made it."""
    scores = comparison.scores
    done = [case for case in comparison.cases if not case.failed]
    parts = [
        f"Contours compared, {date}",
        f"  {command}",
        f"{len(done)} cases, {len(scores)} contours, {sum(one.empty for one in scores)} of them "
        "not contoured",
        *_headline(comparison),
        "",
        organ_table(scores, order) if scores else "Nothing could be compared.",
        "",
        f"Mean +- SD over cases. Surface Dice and added path within {comparison.tolerance_mm:g} "
        "mm. HD95 is surface-distance's: the larger of both directions' 95th percentiles,",
        "weighted by surface element. An organ that was not contoured counts with DSC 0 and is "
        "left out of distances.",
    ]
    parts += _remarks(comparison)
    return "\n".join(parts) + "\n"


def organ_table(scores: Sequence[Score], order: Sequence[str]) -> str:
    """Mean and SD of every metric, median of DSC and HD95, in columns."""
    head = ["organ", "n", "missed", *METRICS.values(), "median DSC", "median HD95"]
    rows = []
    for organ, group in groups(scores, order).items():
        found = {metric: summary(group, metric) for metric in METRICS}
        cells = [f"{found[m].mean:.{_digits(m)}f} +- {found[m].sd:.{_digits(m)}f}" for m in METRICS]
        medians = [f"{found[m].median:.{_digits(m)}f}" for m in ("dsc", "hd95_mm")]
        rows.append([organ, str(len(group)), str(found["dsc"].missed), *cells, *medians])
    means = [f"{_of_organs(scores, metric):.{_digits(metric)}f}" for metric in METRICS]
    rows.append([OF_ORGANS, "", "", *means, "", ""])
    return text_table(head, rows)


def write_summary(path: Path, scores: Sequence[Score], order: Sequence[str]) -> None:
    """One line per organ and metric."""
    head = ("organ", "metric", *(field.name for field in fields(MetricSummary)))
    rows = (
        (organ, metric, *(f"{v:.6g}" if isinstance(v, float) else v for v in astuple(found)))
        for organ, group in groups(scores, order).items()
        for metric in METRICS
        for found in (summary(group, metric),)
    )
    write_csv(path, head, rows)


def latex(scores: Sequence[Score], order: Sequence[str]) -> str:
    """A tabular of means and SD that needs no package."""
    names = [METRICS[metric] for metric in _LATEX_METRICS]
    lines = [
        rf"\begin{{tabular}}{{lr{'r' * len(names)}}}",
        r"\hline",
        _latex_row(["organ", "$n$", *map(_escaped, names)]),
        r"\hline",
    ]
    listed = groups(scores, order)
    overall = listed.pop(OVERALL)
    lines += [_latex_row(_latex_cells(organ, group)) for organ, group in listed.items()]
    lines += [r"\hline", _latex_row(_latex_cells(OVERALL, overall)), r"\hline", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_cells(organ: str, group: Sequence[Score]) -> list[str]:
    cells = [_escaped(organ), str(len(group))]
    for metric in _LATEX_METRICS:
        found = summary(group, metric)
        digits = _digits(metric)
        cells.append(rf"${found.mean:.{digits}f} \pm {found.sd:.{digits}f}$" if found.n else "--")
    return cells


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    for character in "&%#_{}":
        text = text.replace(character, f"\\{character}")
    return text


def _of_organs(scores: Sequence[Score], metric: str) -> float:
    means = [summary(group, metric).mean for group in by_organ(scores).values()]
    return float(np.nanmean(means)) if np.isfinite(means).any() else float("nan")


def _digits(metric: str) -> int:
    return {"hd95_mm": 2, "hd_mm": 2, "mean_distance_mm": 2, "added_path_mm": 0}.get(metric, 3)


def _headline(comparison: Comparison) -> list[str]:
    """What the figures leave out, in the first lines."""
    lines = []
    if failed := comparison.failed:
        listed = ", ".join(failed)
        lines.append(f"NOT COMPARED, in no figure: {len(failed)} cases ({listed}); see the remarks")
    if missing := [case.case for case in comparison.cases if case.missing]:
        lines.append(f"without any prediction, counted as missed: {', '.join(missing)}")
    return lines


def _remarks(comparison: Comparison) -> list[str]:
    lines = []
    if comparison.left_out:
        listed = ", ".join(f"{organ} ({n})" for organ, n in comparison.left_out.items())
        lines.append(f"In no prediction and left out (--every-organ counts them): {listed}")
    if comparison.unasked:
        lines.append(f"Cases of the prediction alone, not used: {', '.join(comparison.unasked)}")
    for case in comparison.cases:
        if case.failed:
            lines.append(f"{case.case} was not compared: {case.failed}")
        if case.missing:
            lines.append(
                f"{case.case} has no prediction ({case.missing}): its organs count as not contoured"
            )
        if case.extra:
            lines.append(f"{case.case}, only in the prediction: {', '.join(case.extra)}")
        if case.unused:
            unused = ", ".join(case.unused)
            lines.append(f"{case.case}, names of an organ that is there twice: {unused}")
        lines += [f"{case.case}, {remark}" for remark in case.remarks]
    return ["", "Remarks", *lines] if lines else []
