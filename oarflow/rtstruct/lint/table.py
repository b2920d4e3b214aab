"""The linter's rules, and its findings in a collection of files, as one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.lint import RULES, LintFinding, images_below, lint
from oarflow.rtstruct.reader import open_document

FAILURES = (
    "Half a pixel", "Index to patient", "Planes", "References", "Patient and study", "Holes",
    "Decimal strings", "Contours over 64 KiB", "ROI numbers", "Too few points", "Empty organs",
    "Islands", "Gaps", "Oblique series", "Lengths", "Names", "Required attributes",
    "Types and algorithms", "Points and crossings", "UIDs", "Character sets",
    "Status, colours, private data",
)  # fmt: skip
"""The known failures of structure sets. A rule refers to them by row."""


def findings_page(folders: Sequence[Path], other_ct: Path, command: str) -> str:
    """The page: a table of rules, and one of findings in all structure sets below the folders.

    other_ct: images of another study, to count the references that dangle in it.
    """
    ct = images_below(other_ct)
    lines = [
        "# What the linter finds",
        "",
        f"Made by `{command}`. Do not edit.",
        "",
        "## Rules",
        "",
        "| rule | severity | failure | meaning | what to do |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, rule in RULES.items():
        failure = f"{rule.row} {FAILURES[rule.row - 1]}" if rule.row else "encoding"
        lines.append(
            f"| {name} | {rule.severity.value} | {failure} | {rule.meaning} | {rule.remedy} |"
        )
    lines += ["", "## Findings", "", *_heading(other_ct)]
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*.dcm") if _is_candidate(p)):
            dangling = [f.count for f in lint(path, ct=ct) if f.rule == "DANGLING_REFERENCES"]
            row = _row(path.relative_to(folder.parent), lint(path))
            lines.append(f"{row} {sum(dangling)} |")
    return "\n".join(lines) + "\n"


def _heading(other_ct: Path) -> tuple[str, ...]:
    return (
        "The last column counts image references that dangle if the file is linted with `--ct` "
        f"of the study {other_ct.name}.",
        "",
        "| file | errors | warnings | notes | dangling |",
        "| --- " * 5 + "|",
    )


def _is_candidate(path: Path) -> bool:
    """Whether a file is a structure set, or so damaged that its kind is unknown."""
    try:
        open_document(path)
    except ReadError as error:
        return error.code is ReadCode.DAMAGED
    return True


def _row(path: Path, findings: Sequence[LintFinding]) -> str:
    cells = [
        "<br>".join(_cell(finding) for finding in findings if finding.severity == severity)
        for severity in ("error", "warning", "note")
    ]
    return f"| {path.as_posix()} | " + " | ".join(cell or "-" for cell in cells) + " |"


def _cell(finding: LintFinding) -> str:
    return f"{finding.rule} ({finding.count})" + (
        f": {finding.where}" if finding.where and finding.rule in ("UNREADABLE",) else ""
    )
