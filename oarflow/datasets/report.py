"""A data set on one page: cases, organs, slices per organ, spacings, what is missing or odd."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from oarflow.datasets.cases import Case
from oarflow.datasets.labels import CaseFacts, ContourFacts, facts
from oarflow.datasets.reading import each
from oarflow.errors import Refusal
from oarflow.organs import Catalogue
from oarflow.rtstruct.errors import ReadError
from oarflow.shown import shown
from oarflow.tables import markdown_table, text_table, write_csv


@dataclass(frozen=True)
class RefusedCase:
    """A case that could not be read, and why."""

    case: str
    reason: str


@dataclass(frozen=True)
class ReportTable:
    """One table of the report. remark: a sentence below it, or ""."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


def survey(
    cases: Mapping[str, Case], catalogue: Catalogue, *, workers: int = 2
) -> tuple[tuple[CaseFacts, ...], tuple[RefusedCase, ...]]:
    """Facts of every case, and the cases that could not be read. One case a worker in memory."""

    def look(case_id: str) -> CaseFacts | RefusedCase:
        try:
            return facts(cases[case_id], catalogue)
        except (OSError, ValueError, KeyError, Refusal, ReadError) as error:
            return RefusedCase(case_id, str(error))

    found = [result for _, result in each(tuple(cases), look, workers=workers)]
    return (
        tuple(one for one in found if isinstance(one, CaseFacts)),
        tuple(one for one in found if isinstance(one, RefusedCase)),
    )


def tables(
    found: Sequence[CaseFacts], refused: Sequence[RefusedCase], catalogue: Catalogue
) -> tuple[ReportTable, ...]:
    """The report's tables, in reading order."""
    every = (
        _summary(found, refused),
        _organs(found, catalogue),
        _spacings(found),
        _missing(found, catalogue),
        _suspicious(found),
        _remarks(found),
        _unmapped(found, catalogue),
        ReportTable("Not read", ("case", "why"), tuple((one.case, one.reason) for one in refused)),
    )
    return tuple(table for table in every if table.rows)


def _text(text: str) -> str:
    return html.escape(shown(text))


def never_drawn(found: Sequence[CaseFacts], catalogue: Catalogue) -> tuple[str, ...]:
    """Organs that some case has, without a voxel in any."""
    drawn = {label.organ for case in found for label in case.labels}
    empty = {organ for case in found for organ in case.empty}
    return tuple(organ for organ in catalogue.names if organ in empty - drawn)


def write_report(
    folder: Path, title: str, found: Sequence[CaseFacts], shown: Sequence[ReportTable]
) -> None:
    """Write report.txt, report.md, report.html and labels.csv (one line a contour)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(text(title, shown), encoding="utf-8")
    (folder / "report.md").write_text(markdown(title, shown), encoding="utf-8")
    (folder / "report.html").write_text(page(title, shown), encoding="utf-8")
    rows = (
        [f"{v:.3f}" if isinstance(v, float) else v for v in astuple(label)]
        for case in found
        for label in case.labels
    )
    write_csv(folder / "labels.csv", [field.name for field in fields(ContourFacts)], rows)


def text(title: str, shown: Iterable[ReportTable]) -> str:
    """The report in columns of plain text."""
    parts = [title, "=" * len(title)]
    for table in shown:
        parts += ["", table.heading, "", text_table(table.head, table.rows)]
        parts += ["", table.remark] if table.remark else []
    return "\n".join(parts) + "\n"


def markdown(title: str, shown: Iterable[ReportTable]) -> str:
    """The report in Markdown."""
    parts = [f"# {title}"]
    for table in shown:
        parts += [f"## {table.heading}", markdown_table(table.head, table.rows)]
        parts += [table.remark] if table.remark else []
    return "\n\n".join(parts) + "\n"


def page(title: str, shown: Iterable[ReportTable]) -> str:
    """The report as one HTML file that needs nothing else."""
    parts = []
    for table in shown:
        head = "".join(f"<th>{_text(cell)}</th>" for cell in table.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>\n"
            for row in table.rows
        )
        parts.append(
            f"<h2>{_text(table.heading)}</h2>\n<table>\n<tr>{head}</tr>\n{rows}</table>\n"
            + (f"<p>{_text(table.remark)}</p>\n" if table.remark else "")
        )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>{_text(title)}</h1>\n" + "".join(parts) + "</html>\n"
    )


_STYLE = (
    "body{font:14px/1.5 sans-serif;margin:2em auto;max-width:70em;color:#16202a}"
    "table{border-collapse:collapse}th,td{text-align:left;padding:.2em .8em;"
    "border-bottom:1px solid #b9c3cc}th{background:#eef2f5}"
)


def _summary(found: Sequence[CaseFacts], refused: Sequence[RefusedCase]) -> ReportTable:
    contours = [label for case in found for label in case.labels]
    rows = (
        ("cases", str(len(found) + len(refused))),
        ("of these not read", str(len(refused))),
        ("with an MR", str(sum(case.mr for case in found))),
        ("organs", str(len({label.organ for label in contours}))),
        ("contours", str(len(contours))),
        ("slices with a contour", str(sum(label.slices for label in contours))),
        ("suspicious contours", str(sum(bool(label.doubt) for label in contours))),
    )
    return ReportTable("In short", ("what", "how many"), rows)


def _organs(found: Sequence[CaseFacts], catalogue: Catalogue) -> ReportTable:
    rows = []
    for number, (organ, group) in enumerate(_by_organ(found, catalogue).items(), start=1):
        slices = [label.slices for label in group]
        low, middle, high = np.percentile([label.volume_cc for label in group], (5, 50, 95))
        rows.append(
            (
                str(number),
                organ,
                str(len(group)),
                str(sum(slices)),
                f"{np.median(slices):g}",
                f"{min(slices)} to {max(slices)}",
                f"{low:.1f} / {middle:.1f} / {high:.1f}",
                str(sum(label.cut for label in group)),
                str(sum(bool(label.doubt) for label in group)),
            )
        )
    head = ("#", "organ", "cases", "slices", "median", "range", "volume cc", "cut", "suspicious")
    return ReportTable(
        "Slices for each organ at risk",
        head,
        tuple(rows),
        "Slices: sum over all cases; median and range by case. Volume: 5th, 50th and 95th "
        "percentile. Cut: the contour reaches the first or last slice of the scan.",
    )


def _spacings(found: Sequence[CaseFacts]) -> ReportTable:
    rows = []
    kinds = Counter((case.spacing_zyx, case.shape[1:]) for case in found)
    for ((z, y, x), (height, width)), count in sorted(kinds.items()):
        slices = [
            case.shape[0]
            for case in found
            if (case.spacing_zyx, case.shape[1:]) == ((z, y, x), (height, width))
        ]
        spread = (
            f"{min(slices)}" if min(slices) == max(slices) else f"{min(slices)} to {max(slices)}"
        )
        rows.append((f"{z:.4g}", f"{y:.4g} x {x:.4g}", f"{height} x {width}", spread, str(count)))
    head = ("slice distance (mm)", "pixel (mm)", "matrix", "slices", "cases")
    return ReportTable("Spacings", head, tuple(rows))


def _missing(found: Sequence[CaseFacts], catalogue: Catalogue) -> ReportTable:
    drawn_in = _by_organ(found, catalogue)
    known = {*drawn_in, *(organ for case in found for organ in case.empty)}
    rows = []
    for organ in (name for name in catalogue.names if name in known):
        drawn = {label.case for label in drawn_in.get(organ, ())}
        empty = [case.case for case in found if organ in case.empty]
        without = [case.case for case in found if case.case not in (*drawn, *empty)]
        if without or empty:
            count = str(len(without) + len(empty)) if drawn else "all"
            rows.append((organ, count, _names(without), _names(empty)))
    return ReportTable(
        "Missing contours",
        ("organ", "cases", "not drawn", "drawn empty"),
        tuple(rows),
        "A missing contour does not mean that the organ is missing: it was not drawn. If an organ "
        "is empty in all cases, check the position and the label value of its masks.",
    )


def _suspicious(found: Sequence[CaseFacts]) -> ReportTable:
    rows = [
        (label.case, label.organ, label.doubt)
        for case in found
        for label in case.labels
        if label.doubt
    ]
    return ReportTable(
        "Suspicious contours",
        ("case", "organ", "why"),
        tuple(rows),
        "Look at each of them. OARflow leaves none of them out.",
    )


def _remarks(found: Sequence[CaseFacts]) -> ReportTable:
    rows = tuple((case.case, organ, remark) for case in found for organ, remark in case.remarks)
    return ReportTable(
        "Remarks on contours",
        ("case", "organ", "what"),
        rows,
        "A contour between two slices of the CT is put onto the nearest slice. Many such contours "
        "mean that the structure set was moved or drawn on another series. A contour inside "
        "another one is read as a hole, and crossing contours are joined: check that this is "
        "what was meant.",
    )


def _unmapped(found: Sequence[CaseFacts], catalogue: Catalogue) -> ReportTable:
    names = Counter(name for case in found for name in case.unmapped)
    rows = []
    for name, count in names.most_common():
        near = catalogue.nearest(name)
        rows.append((name, str(count), near.name if near else ""))
    return ReportTable(
        "Names that were not used",
        ("name", "cases", "may mean"),
        tuple(rows),
        "These names match no organ of the catalogue, do not say the side, have a doubtful mark "
        "(such as ? or ~), or match an organ that another contour of the case already has. Add a "
        "name as an alias in models/organs.yaml. Change a doubtful name in the RTSTRUCT.",
    )


def _by_organ(found: Sequence[CaseFacts], catalogue: Catalogue) -> dict[str, list[ContourFacts]]:
    labels = [label for case in found for label in case.labels]
    groups = {organ: [one for one in labels if one.organ == organ] for organ in catalogue.names}
    return {organ: group for organ, group in groups.items() if group}


def _names(cases: Sequence[str], most: int = 12) -> str:
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    return ", ".join(cases[:most]) + more
