"""Scores of several methods on the same patients: CSV, Markdown tables, paired tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from oarflow.tables import markdown_table, write_csv

DICE = "Dice"


class MethodScore(NamedTuple):
    """The value of one measure of one organ of one patient, by one method."""

    case: str
    organ: str
    method: str
    value: float


def patient_means(rows: Sequence[MethodScore], name: str) -> list[MethodScore]:
    """Each patient's mean over its organs, by method, as an organ of this name."""
    means: dict[tuple[str, str], list[float]] = defaultdict(list)
    for case, _, method, value in rows:
        means[case, method].append(value)
    return [
        MethodScore(case, name, method, float(np.mean(values)))
        for (case, method), values in means.items()
    ]


def write_comparison(
    measured: Mapping[str, Sequence[MethodScore]],
    output: Path,
    *,
    title: str,
    command: str,
    about: str,
) -> None:
    """The page, and the scores as CSV beside it. about: what was compared, in words."""
    write_method_scores(measured, output.with_suffix(".csv"))
    output.write_text(page(measured, title, command, about), encoding="utf-8")


def write_method_scores(measured: Mapping[str, Sequence[MethodScore]], path: Path) -> None:
    """The scores as CSV: one line a case, organ and method, one column a measure."""
    lines: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for measure, rows in measured.items():
        for case, organ, method, value in rows:
            lines[case, organ, method][measure] = value
    rounded = (
        (*key, *(f"{values[name]:.4f}" if name in values else "" for name in measured))
        for key, values in lines.items()
    )
    write_csv(path, ("case", "organ", "method", *(name.lower() for name in measured)), rounded)


def page(
    measured: Mapping[str, Sequence[MethodScore]], title: str, command: str, about: str
) -> str:
    """Markdown: mean and spread of each method per organ, the last one's paired test, by measure.

    about: what was compared, in words.
    """
    parts = [f"# {title}", f"Made by `{command}`. Mean and standard deviation.", about]
    for measure, rows in measured.items():
        parts += [f"## {measure}", table(rows)] if len(measured) > 1 else [table(rows)]
    last = list(dict.fromkeys(row.method for rows in measured.values() for row in rows))[-1]
    parts.append(f"p: Wilcoxon's test, paired by patient, of {last} and the best other method.")
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[MethodScore]) -> str:
    """One measure's table."""
    methods = list(dict.fromkeys(row.method for row in rows))
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for case, organ, method, value in rows:
        scores[organ][method][case] = value
    compared = [
        (
            organ,
            len(found[methods[0]]),
            *(_cell(list(found[method].values())) for method in methods),
            _test(found),
        )
        for organ, found in scores.items()
    ]
    return markdown_table(("organ", "n", *methods, "p"), compared)


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def _test(found: Mapping[str, Mapping[str, float]]) -> str:
    *others, last = found
    best = max(others, key=lambda method: float(np.mean(list(found[method].values()))))
    cases = [case for case in found[last] if case in found[best]]
    differences: NDArray[np.float64] = np.array([found[last][c] - found[best][c] for c in cases])
    if len(cases) < 6 or not differences.any():
        return "n too small"
    p = float(stats.wilcoxon(differences).pvalue)
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
