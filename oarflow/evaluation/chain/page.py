"""The chain's scores as a page and as CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from oarflow.datasets.labels import DOUBTS
from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.chain.run import CaseScores
from oarflow.evaluation.scoring.outcomes import OrganOutcome
from oarflow.evaluation.scoring.statistics import WRONG_DSC, standard_deviation
from oarflow.tables import markdown_table, write_csv

COLUMNS = (
    "case",
    "organ",
    "status",
    "flags",
    "dice",
    "dice_within",
    "hd95_mm",
    "volume_cc",
    "reference_cc",
    "swapped",
    "doubt",
    "seconds",
)


def write_scores(path: Path, cases: Sequence[CaseScores]) -> None:
    """One line per case and organ; hd95_mm is blank where nothing was contoured."""
    write_csv(path, COLUMNS, (_csv_row(case, one) for case in cases for one in case.organs))


def _csv_row(case: CaseScores, one: OrganOutcome) -> tuple[object, ...]:
    score = one.score
    return (
        one.case,
        one.organ,
        one.status,
        "; ".join(one.flags),
        f"{score.dsc:.6f}",
        f"{score.dsc_within:.6f}",
        None if one.hd95_mm is None else f"{one.hd95_mm:.6f}",
        f"{score.volume_cc:.6f}",
        f"{score.reference_cc:.6f}",
        one.swapped,
        one.doubt,
        round(case.seconds, 2),
    )


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

    wrong: by organ and case, the error of the reference.
    """
    scores = [score for case in cases for score in case.organs]
    known = {key: why for key, why in (wrong or {}).items() if key in set(map(_key, scores))}
    sure = [score for score in scores if not score.doubt]
    parts = [
        f"# {title}",
        f"Made by `{command}` on {date}, from {len(cases)} patients. Each CT was written as a "
        "DICOM series and contoured by the application. The RTSTRUCT was then rasterised on the CT "
        "grid.",
        "## By organ",
        organ_table(scores),
        _READING,
        *(_without(scores, known) if known else ()),
        "## Statuses, errors and time",
        _statements(cases, scores),
        "## Suspicious references",
        _doubts(scores),
    ]
    if len(sure) < len(scores):
        parts += ["The first table again, without the suspicious references:", organ_table(sure)]
    parts += ["## Models", models_table(models)]
    return "\n\n".join(parts) + "\n"


_COLUMNS = {
    "n": "patients with a reference and a network",
    "missed": "patients among them without a contour. They count with Dice 0, and do not count for "
    "HD95",
    "SD, IQR, min": "standard deviation, 25 % to 75 %, and minimum of Dice",
    "Dice in range": "Dice on the slices from the reference's first to its last",
    "HD95": "in mm, weighted by surface area",
    "volume": "mean relative difference from the reference's volume, and its SD",
}

_READING = "This table leaves no reference out. Its columns:\n\n" + markdown_table(
    ("column", "meaning"), _COLUMNS.items()
)


def organ_table(scores: Sequence[OrganOutcome]) -> str:
    """Markdown table by organ, and the mean over organs."""
    organs = list(dict.fromkeys(one.organ for one in scores))
    groups = [[one for one in scores if one.organ == organ] for organ in organs]
    rows = [_organ_row(organ, group) for organ, group in zip(organs, groups, strict=True)]
    if groups:
        mean = fmean(fmean(one.score.dsc for one in group) for group in groups)
        within = fmean(fmean(one.score.dsc_within for one in group) for group in groups)
        counts = (len(scores), sum(map(_missed, groups)))
        blank = ("",) * 4
        rows.append(
            ("**mean of organs**", *counts, f"**{mean:.3f}**", *blank, f"{within:.3f}", *blank[:3])
        )
    return markdown_table(_ORGAN_HEAD, rows)


_ORGAN_HEAD = (
    "organ",
    "n",
    "missed",
    "mean Dice",
    "median",
    "SD",
    "IQR",
    "min",
    "Dice in range",
    "HD95 median",
    "HD95 mean",
    "volume",
)


def _organ_row(organ: str, group: Sequence[OrganOutcome]) -> tuple[object, ...]:
    dices = [one.score.dsc for one in group]
    quarter, median, three = np.percentile(dices, (25, 50, 75))
    hd95 = [one.hd95_mm for one in group if one.hd95_mm is not None]
    errors = [one.score.volume_error for one in group if not one.score.empty]
    return (
        organ,
        len(group),
        _missed(group),
        f"{np.mean(dices):.3f}",
        f"{median:.3f}",
        f"{standard_deviation(dices):.3f}",
        f"{quarter:.3f} to {three:.3f}",
        f"{min(dices):.3f}",
        f"{fmean(one.score.dsc_within for one in group):.3f}",
        f"{np.median(hd95):.1f}" if hd95 else "-",
        f"{np.mean(hd95):.1f}" if hd95 else "-",
        f"{np.mean(errors):+.0%} ({standard_deviation(errors):.0%})" if errors else "-",
    )


def _missed(group: Sequence[OrganOutcome]) -> int:
    return sum(one.score.empty for one in group)


def _statements(cases: Sequence[CaseScores], scores: Sequence[OrganOutcome]) -> str:
    statuses = Counter(score.status for score in scores)
    said = [one for one in scores if one.status == "segmented" and not one.flags]
    wrong = [one for one in said if one.score.dsc < WRONG_DSC]
    swapped = [score for score in scores if score.swapped]
    seconds = [case.seconds for case in cases]
    memory = max((case.peak_memory_mb for case in cases), default=0.0)
    share = f"{len(wrong) / len(said):.1%}" if said else "none"
    lines = [
        f"- Organs by status: {', '.join(f'{n} {s}' for s, n in statuses.most_common()) or 'none'}",
        f"- `segmented`, without a flag, with Dice under {WRONG_DSC}: {len(wrong)} of {len(said)} "
        f"({share})" + _named(wrong),
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


def _named(scores: Iterable[OrganOutcome]) -> str:
    return _list(f"{one.case} {one.organ} {one.score.dsc:.2f}" for one in scores)


def _list(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return f": {text}" if text else ""


def _key(score: OrganOutcome) -> tuple[str, str]:
    return score.organ, score.case


def _without(scores: Sequence[OrganOutcome], wrong: Mapping[tuple[str, str], str]) -> list[str]:
    lines = [
        "Pictures of the CT with the reference alone show these errors. The list is in "
        "`oarflow/datasets/openkbp_wrong_references.yaml`. The first table counts these "
        "references.",
        "",
        _reasons({one: wrong[_key(one)] for one in scores if _key(one) in wrong}),
    ]
    right = [score for score in scores if _key(score) not in wrong]
    heading = f"The first table again, without these {len(wrong)} references:"
    return ["## Wrong references", "\n".join(lines), heading, organ_table(right)]


def _doubts(scores: Sequence[OrganOutcome]) -> str:
    suspicious = [score for score in scores if score.doubt]
    if not suspicious:
        return "No reference is suspicious."
    lines = [
        f"A reference is suspicious if {DOUBTS}. The first table includes suspicious references.",
        "",
        _reasons({one: one.doubt for one in suspicious}),
    ]
    return "\n".join(lines)


def _reasons(found: Mapping[OrganOutcome, str]) -> str:
    """Contours, and why their reference is not reliable."""
    rows = [
        (one.case, one.organ, why, f"{one.score.dsc:.3f}", one.status) for one, why in found.items()
    ]
    return markdown_table(("patient", "organ", "why", "Dice", "status"), rows)


def models_table(models: Sequence[ModelFile]) -> str:
    """Markdown table of networks and the hashes of their files."""
    rows = [(one.folder, one.name, one.version, f"`{one.sha256}`") for one in models]
    return markdown_table(("folder", "name", "version", "sha256"), rows)
