"""Scores as the tables that people read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import fmean

import numpy as np

from oarflow.datasets.labels import DOUBTS
from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.chain import CaseScores
from oarflow.evaluation.scores import OrganScore

WRONG_DICE = 0.3
"""An organ called segmented with a Dice below this is simply wrong."""


def write_csv(path: Path, cases: Sequence[CaseScores]) -> None:
    """One line per case and organ."""
    names = [field.name for field in fields(OrganScore)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*names, "seconds"])
        for case in cases:
            for score in case.organs:
                row = score.stored() | {"flags": "; ".join(score.flags)}
                writer.writerow([*(_plain(row[name]) for name in names), round(case.seconds, 2)])


def markdown(
    cases: Sequence[CaseScores],
    models: Sequence[ModelFile],
    *,
    title: str,
    command: str,
    date: str,
    wrong: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """The whole page. command: what made it. date: ISO 8601.

    wrong: by organ and case, why a reference is known to be wrong.
    """
    scores = [score for case in cases for score in case.organs]
    known = {key: why for key, why in (wrong or {}).items() if key in set(map(_key, scores))}
    sure = [score for score in scores if not score.doubt]
    parts = [
        f"# {title}",
        f"Made by `{command}` on {date}, from {len(cases)} patients: each written as a DICOM CT "
        "series, contoured by the application, and its RTSTRUCT rasterised on the CT grid.",
        "## By organ",
        organ_table(scores),
        _READING,
        *(_without(scores, known) if known else ()),
        "## What the application said",
        _statements(cases, scores),
        "## References in doubt",
        _doubts(scores),
    ]
    if len(sure) < len(scores):
        parts += ["The table above without them:", organ_table(sure)]
    parts += ["## Models", models_table(models)]
    return "\n\n".join(parts) + "\n"


_READING = (
    "n: patients with a reference and a model; missed: of these, not contoured (they count with "
    "Dice 0, and are left out of HD95). SD and IQR (25 % to 75 %) are of Dice. Dice in range: on "
    "the slices from the reference's first to its last. Volume: mean relative difference from the "
    "reference, and its SD. HD95 in mm, weighted by surface area (`oarflow.compare.surfaces`). No "
    "reference is left out of this table."
)


def organ_table(scores: Sequence[OrganScore]) -> str:
    """Markdown table by organ, and the mean over organs."""
    head = (
        "| organ | n | missed | mean Dice | median | SD | IQR | min | Dice in range | "
        "HD95 median | HD95 mean | volume |"
    )
    lines = [head, "|" + " --- |" * (head.count("|") - 1)]
    organs = list(dict.fromkeys(score.organ for score in scores))
    groups = [[score for score in scores if score.organ == organ] for organ in organs]
    lines += [_organ_line(organ, group) for organ, group in zip(organs, groups, strict=True)]
    if groups:
        mean = fmean(fmean(s.dice for s in group) for group in groups)
        within = fmean(fmean(s.dice_within for s in group) for group in groups)
        lines.append(
            f"| **mean of organs** | {len(scores)} | {sum(map(_missed, groups))} | **{mean:.3f}** "
            f"| | | | | {within:.3f} | | | |"
        )
    return "\n".join(lines)


def _organ_line(organ: str, group: Sequence[OrganScore]) -> str:
    values = np.array([score.dice for score in group])
    quarter, median, three = np.percentile(values, (25, 50, 75))
    hd95 = [score.hd95_mm for score in group if score.hd95_mm is not None]
    error = np.array([score.volume_error for score in group if score.volume_cc > 0])
    distances = f"{np.median(hd95):.1f} | {np.mean(hd95):.1f}" if hd95 else "- | -"
    volume = f"{error.mean():+.0%} ({_sd(error):.0%})" if len(error) else "-"
    return (
        f"| {organ} | {len(group)} | {_missed(group)} | {values.mean():.3f} | {median:.3f} | "
        f"{_sd(values):.3f} | {quarter:.3f} to {three:.3f} | {values.min():.3f} | "
        f"{fmean(score.dice_within for score in group):.3f} | {distances} | {volume} |"
    )


def _sd(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _missed(group: Sequence[OrganScore]) -> int:
    return sum(score.volume_cc == 0 for score in group)


def _statements(cases: Sequence[CaseScores], scores: Sequence[OrganScore]) -> str:
    statuses = Counter(score.status for score in scores)
    said = [score for score in scores if score.status == "segmented" and not score.flags]
    wrong = [score for score in said if score.dice < WRONG_DICE]
    swapped = [score for score in scores if score.swapped]
    seconds = [case.seconds for case in cases]
    memory = max((case.peak_memory_mb for case in cases), default=0.0)
    share = f"{len(wrong) / len(said):.1%}" if said else "none"
    lines = [
        f"- Organs by status: {', '.join(f'{n} {s}' for s, n in statuses.most_common()) or 'none'}",
        f"- Called segmented with Dice under {WRONG_DICE}: {len(wrong)} of {len(said)} ({share})"
        + _named(wrong),
        f"- Left and right swapped: {len(swapped)}" + _named(swapped),
        f"- Refused studies: {sum(case.refusal is not None for case in cases)}"
        + _list(f"{case.case} {case.refusal}" for case in cases if case.refusal),
    ]
    if seconds:
        lines.append(
            f"- Seconds per study, from start to end: median {np.median(seconds):.1f}, "
            f"longest {max(seconds):.1f}; peak memory {memory:.0f} MB"
        )
    return "\n".join(lines)


def _named(scores: Iterable[OrganScore]) -> str:
    return _list(f"{score.case} {score.organ} {score.dice:.2f}" for score in scores)


def _list(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return f": {text}" if text else ""


def _key(score: OrganScore) -> tuple[str, str]:
    return score.organ, score.case


def _without(scores: Sequence[OrganScore], wrong: Mapping[tuple[str, str], str]) -> list[str]:
    lines = [
        "Seen in pictures of CT and reference alone; the list is committed "
        "(`oarflow/datasets/openkbp_wrong_references.yaml`). They count in the table above.",
        "",
        "| patient | organ | why | Dice | status |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {s.case} | {s.organ} | {wrong[_key(s)]} | {s.dice:.3f} | {s.status} |"
        for s in scores
        if _key(s) in wrong
    ]
    right = [score for score in scores if _key(score) not in wrong]
    told = f"The table above without these {len(wrong)}:"
    return ["## References that are wrong", "\n".join(lines), told, organ_table(right)]


def _doubts(scores: Sequence[OrganScore]) -> str:
    doubted = [score for score in scores if score.doubt]
    if not doubted:
        return "None: no reference is in doubt."
    lines = [
        f"References {DOUBTS}. They count in the first table.",
        "",
        "| patient | organ | why | Dice | status |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {s.case} | {s.organ} | {s.doubt} | {s.dice:.3f} | {s.status} |" for s in doubted]
    return "\n".join(lines)


def models_table(models: Sequence[ModelFile]) -> str:
    lines = ["| folder | name | version | sha256 |", "| --- | --- | --- | --- |"]
    lines += [f"| {m.folder} | {m.name} | {m.version} | `{m.sha256}` |" for m in models]
    return "\n".join(lines)


def _plain(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float) else value
