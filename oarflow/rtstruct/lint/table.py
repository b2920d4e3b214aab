"""The linter's rules, and its findings in a collection of files, as one Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.lint import RULES, LintFinding, images_below, lint
from oarflow.rtstruct.reader import open_document
from oarflow.tables import markdown_table

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

    other_ct: images of another study, to count the references to images that it lacks.
    """
    ct = images_below(other_ct)
    lines = [
        "# What the linter finds",
        "",
        f"Made by `{command}`. Do not edit.",
        "",
        "## Rules",
        "",
        markdown_table(
            ("rule", "severity", "topic", "meaning", "what to do"),
            [
                (
                    name,
                    rule.severity.value,
                    FAILURES[rule.row - 1] if rule.row else "Encoding",
                    rule.meaning,
                    rule.remedy,
                )
                for name, rule in RULES.items()
            ],
        ),
        "",
        "## Findings",
        "",
        f"The last column counts the references to images that are not in the CT {other_ct.name} "
        "(option `--ct`).",
        "",
    ]
    rows = []
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*.dcm") if _is_candidate(p)):
            dangling = [f.count for f in lint(path, ct=ct) if f.rule == "DANGLING_REFERENCES"]
            place = path.relative_to(folder.parent)
            rows.append((place.as_posix(), *_cells(lint(path)), sum(dangling)))
    lines.append(markdown_table(("file", "errors", "warnings", "notes", "missing images"), rows))
    return "\n".join(lines) + "\n"


def _is_candidate(path: Path) -> bool:
    """Whether a file is a structure set, or so damaged that its kind is unknown."""
    try:
        open_document(path)
    except ReadError as error:
        return error.code is ReadCode.DAMAGED
    return True


def _cells(findings: Sequence[LintFinding]) -> Iterator[str]:
    for severity in ("error", "warning", "note"):
        found = [_cell(finding) for finding in findings if finding.severity == severity]
        yield "<br>".join(found) or "-"


def _cell(finding: LintFinding) -> str:
    return f"{finding.rule} ({finding.count})" + (
        f": {finding.where}" if finding.where and finding.rule in ("UNREADABLE",) else ""
    )
