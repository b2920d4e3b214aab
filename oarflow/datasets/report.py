"""A data set on one page: cases, organs, slices per organ, spacings, what is missing or odd."""

from __future__ import annotations

import csv
import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from oarflow.datasets.cases import Case
from oarflow.datasets.labels import CaseFacts, Label, facts
from oarflow.datasets.reading import each
from oarflow.errors import Refusal
from oarflow.organs import Catalogue
from oarflow.rtstruct.errors import ReadError
from oarflow.shown import shown


@dataclass(frozen=True)
class Refused:
    """A case that could not be read, and why."""

    case: str
    reason: str


@dataclass(frozen=True)
class Table:
    """One table of the report. remark: a sentence below it, or ""."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""


def survey(
    cases: Mapping[str, Case], catalogue: Catalogue, *, workers: int = 2
) -> tuple[tuple[CaseFacts, ...], tuple[Refused, ...]]:
    """Facts of every case, and the cases that could not be read. One case a worker in memory."""

    def look(case_id: str) -> CaseFacts | Refused:
        try:
            return facts(cases[case_id], catalogue)
        except (OSError, ValueError, KeyError, Refusal, ReadError) as error:
            return Refused(case_id, str(error))

    found = [result for _, result in each(tuple(cases), look, workers=workers)]
    return (
        tuple(one for one in found if isinstance(one, CaseFacts)),
        tuple(one for one in found if isinstance(one, Refused)),
    )


def tables(
    found: Sequence[CaseFacts], refused: Sequence[Refused], catalogue: Catalogue
) -> tuple[Table, ...]:
    """The report's tables, in reading order."""
    every = (
        _summary(found, refused),
        _organs(found, catalogue),
        _spacings(found),
        _missing(found, catalogue),
        _suspicious(found),
        _remarks(found),
        _unmapped(found, catalogue),
        Table("Not read", ("case", "why"), tuple((one.case, one.reason) for one in refused)),
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
    folder: Path, title: str, found: Sequence[CaseFacts], shown: Sequence[Table]
) -> None:
    """Write report.txt, report.md, report.html and labels.csv (one line a contour)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(text(title, shown), encoding="utf-8")
    (folder / "report.md").write_text(markdown(title, shown), encoding="utf-8")
    (folder / "report.html").write_text(page(title, shown), encoding="utf-8")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Label)])
        for case in found:
            for label in case.labels:
                writer.writerow(
                    [f"{v:.3f}" if isinstance(v, float) else v for v in asdict(label).values()]
                )


def text(title: str, shown: Iterable[Table]) -> str:
    """The report in columns of plain text."""
    parts = [title, "=" * len(title)]
    for table in shown:
        rows = [table.head, *table.rows]
        widths = [max(len(row[k]) for row in rows) for k in range(len(table.head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        rule = "  ".join("-" * width for width in widths)
        listed = [line.rstrip() for line in (lines[0], rule, *lines[1:])]
        parts += ["", table.heading, "", *listed, *(["", table.remark] if table.remark else [])]
    return "\n".join(parts) + "\n"


def markdown(title: str, shown: Iterable[Table]) -> str:
    """The report in Markdown."""
    parts = [f"# {title}"]
    for table in shown:
        lines = [_line(table.head), _line(["---"] * len(table.head)), *map(_line, table.rows)]
        parts += [f"## {table.heading}", "\n".join(lines)]
        parts += [table.remark] if table.remark else []
    return "\n\n".join(parts) + "\n"


def page(title: str, shown: Iterable[Table]) -> str:
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


def _summary(found: Sequence[CaseFacts], refused: Sequence[Refused]) -> Table:
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
    return Table("In short", ("what", "how many"), rows)


def _organs(found: Sequence[CaseFacts], catalogue: Catalogue) -> Table:
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
    return Table(
        "Slices for each organ at risk",
        head,
        tuple(rows),
        "Slices: of all cases together, then by case. Volume: 5th, 50th and 95th percentile. Cut: "
        "the contour reaches the first or last slice of the scan.",
    )


def _spacings(found: Sequence[CaseFacts]) -> Table:
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
    return Table("Spacings", head, tuple(rows))


def _missing(found: Sequence[CaseFacts], catalogue: Catalogue) -> Table:
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
    return Table(
        "Missing contours",
        ("organ", "cases", "not drawn", "drawn empty"),
        tuple(rows),
        "A contour that is missing says nothing of the anatomy: nobody drew it. An organ that is "
        "empty in all cases may have lost its place or its value.",
    )


def _suspicious(found: Sequence[CaseFacts]) -> Table:
    rows = [
        (label.case, label.organ, label.doubt)
        for case in found
        for label in case.labels
        if label.doubt
    ]
    return Table(
        "Suspicious contours",
        ("case", "organ", "why"),
        tuple(rows),
        "Each wants a look; none is left out by itself.",
    )


def _remarks(found: Sequence[CaseFacts]) -> Table:
    rows = tuple((case.case, organ, remark) for case in found for organ, remark in case.remarks)
    return Table(
        "Remarks on contours",
        ("case", "organ", "what"),
        rows,
        "A contour off the CT's slices is put onto the slice that it lies next to; a structure set "
        "that was moved, or drawn on another series, looks like this. Contours of one slice that "
        "lie in each other, or cross, can be meant otherwise than they are read.",
    )


def _unmapped(found: Sequence[CaseFacts], catalogue: Catalogue) -> Table:
    names = Counter(name for case in found for name in case.unmapped)
    rows = []
    for name, count in names.most_common():
        near = catalogue.nearest(name)
        rows.append((name, str(count), near.name if near else ""))
    return Table(
        "Names that were not used",
        ("name", "cases", "may mean"),
        tuple(rows),
        "They mean no organ of the catalogue, do not say which side, are in doubt (a mark such as "
        "? or ~), or mean one that another contour of the case was taken for. An alias in "
        "models/organs.yaml makes a name known; a doubtful name has to be changed in the RTSTRUCT.",
    )


def _by_organ(found: Sequence[CaseFacts], catalogue: Catalogue) -> dict[str, list[Label]]:
    labels = [label for case in found for label in case.labels]
    groups = {organ: [one for one in labels if one.organ == organ] for organ in catalogue.names}
    return {organ: group for organ, group in groups.items() if group}


def _names(cases: Sequence[str], most: int = 12) -> str:
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    return ", ".join(cases[:most]) + more


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
