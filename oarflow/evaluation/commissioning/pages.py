"""The commissioning record as pages that a physicist signs: HTML and PDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table, TableStyle

from oarflow.evaluation.commissioning.decisions import WORDS
from oarflow.evaluation.commissioning.record import CommissioningRecord, Decision, MeasuredContour
from oarflow.report.content import PURPOSE
from oarflow.shown import finalize

TITLE = "Commissioning record"

SIGNATURES = ("Measured by", "Reviewed by (medical physicist)", "Released by")

_MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_INK, _LINE, _SOFT = map(HexColor, ("#16202a", "#b9c3cc", "#eef2f5"))
_TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=8.5, leading=11, textColor=_INK)
_CELL = ParagraphStyle("cell", parent=_TEXT, fontSize=7.5, leading=9.5)
_BOLD = ParagraphStyle("bold", parent=_CELL, fontName="Helvetica-Bold")
_HEAD = ParagraphStyle("head", parent=_TEXT, fontName="Helvetica-Bold", fontSize=16, leading=20)
_HEADING = ParagraphStyle("heading", parent=_HEAD, fontSize=11, leading=15, spaceBefore=10)

Rows = Sequence[Sequence[str]]


def write_html(path: Path, record: CommissioningRecord) -> None:
    """One file that needs nothing else."""
    environment = Environment(
        finalize=finalize,
        loader=PackageLoader("oarflow.evaluation.commissioning"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("record.html.j2").render(
        title=TITLE,
        purpose=PURPOSE,
        record=record,
        sections=list(sections(record)),
        allowed=allowed(record),
        signatures=SIGNATURES,
    )
    path.write_text(page, encoding="utf-8")


def write_pdf(path: Path, record: CommissioningRecord) -> None:
    """A4; the record's digest on every page. The same record gives the same bytes."""

    def frame(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 7)
        canvas.drawString(_MARGIN, _MARGIN / 2, f"record sha256 {record.sha256}")
        canvas.drawRightString(A4[0] - _MARGIN, _MARGIN / 2, f"page {document.page}")
        canvas.restoreState()

    document = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"OARflow {TITLE.lower()}",
        author="OARflow",
        invariant=1,
    )
    document.build(list(_story(record)), onFirstPage=frame, onLaterPages=frame)


def settings(record: CommissioningRecord) -> str:
    """Settings (YAML) that let the application use the released organs' networks alone."""
    released = [one for one in record.decisions if one.allowed]
    hashes = {one.network.sha256 for one in released if one.network}
    hashes |= {one.sha256 for one in record.networks if not one.organs}
    head = f"# Released by the commissioning record {record.sha256} of {record.made}.\n"
    plain = {"organs": [one.organ for one in released], "trusted_models": sorted(hashes)}
    return head + yaml.safe_dump(plain, sort_keys=False)


def allowed(record: CommissioningRecord) -> str:
    """The outcome in one sentence."""
    names = [one.organ for one in record.decisions if one.allowed]
    whole = len(record.decisions)
    return f"{len(names)} of {whole} organs may be used: {', '.join(names) or 'none'}."


def sections(record: CommissioningRecord) -> Iterator[tuple[str, str, Sequence[str], Rows]]:
    """Heading, remark, head and rows of every table, in reading order."""
    yield (
        "Organs that may be used",
        "",
        ("organ", "network", "version", "sha256"),
        [_released(one) for one in record.decisions if one.allowed],
    )
    yield (
        "Organs that may not be used, and why",
        "",
        ("organ", "network", "why not"),
        [
            (one.organ, one.network.name if one.network else "none", "; ".join(one.reasons))
            for one in record.decisions
            if not one.allowed
        ],
    )
    yield (
        "Figures and limits",
        f"Measured, and the limit in brackets. Surface Dice at {record.thresholds.tolerance_mm:g} "
        "mm; HD95 weighted by surface area.",
        ("organ", *WORDS.values()),
        [_figures(record, one) for one in record.decisions if one.figures["patients"]],
    )
    yield (
        "Every contour",
        "Not contoured: Dice 0 and no distance. Not requested, or without a network: no figures.",
        ("patient", "organ", "status", "Dice", "HD95 (mm)", "surface Dice", "cc", "clinic's cc"),
        [_contour(one) for one in record.measured],
    )
    yield (
        "Patients",
        "patients.csv has each number's folder and stays in the clinic. Unmapped: contours of the "
        "clinic with a name that matches no organ.",
        ("patient", "voxels, sha256", "clinic's RTSTRUCT, sha256", "OARflow's, sha256", "remark"),
        [
            (
                one.patient,
                one.pixel_sha256 or "-",
                one.reference_sha256,
                one.rtstruct_sha256 or "-",
                "; ".join(
                    (
                        f"refused: {one.refusal}" if one.refusal else f"{one.unmapped} unmapped",
                        *one.remarks,
                    )
                ),
            )
            for one in record.patients
        ],
    )
    yield (
        "Program and networks",
        "",
        ("what", "value"),
        [
            ("program", f"OARflow {record.version}, sha256 {record.program_sha256}"),
            *((f"network {one.folder}", f"{one.version}, {one.sha256}") for one in record.networks),
        ],
    )


def _released(one: Decision) -> tuple[str, ...]:
    made_by = one.network
    return (one.organ, *((made_by.name, made_by.version, made_by.sha256) if made_by else ()))


def _figures(record: CommissioningRecord, one: Decision) -> tuple[str, ...]:
    limits = record.thresholds.of(one.organ)
    asked = limits.model_dump(exclude_none=True) if limits else {}
    cells = [one.organ]
    for name in WORDS:
        value = one.figures[name]
        limit = f" ({asked[name]:.3g})" if name in asked else ""
        cells.append(("-" if value is None else f"{value:.3g}") + limit)
    return tuple(cells)


def _contour(one: MeasuredContour) -> tuple[str, ...]:
    said = "; ".join((one.status, *one.flags))
    return (
        one.patient,
        one.organ,
        said,
        _cell(one.dsc, 3),
        _cell(one.hd95_mm, 1),
        _cell(one.surface_dice, 3),
        _cell(one.volume_cc, 1),
        _cell(one.reference_cc, 1),
    )


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _story(record: CommissioningRecord) -> Iterator[Flowable]:
    yield _paragraph(TITLE, _HEAD)
    yield _paragraph(f"{record.clinic or 'Clinic not named'}, {record.made}", _TEXT)
    yield _paragraph(allowed(record), _HEADING)
    yield _paragraph(PURPOSE, _TEXT)
    yield _paragraph("Signatures", _HEADING)
    yield _grid(
        ("role", "name", "date", "signature"), [(r, "", "", "") for r in SIGNATURES], 9 * mm
    )
    yield _paragraph(f"The signatures are for the record with sha256 {record.sha256}.", _CELL)
    for heading, remark, head, rows in sections(record):
        yield _paragraph(heading, _HEADING)
        if remark:
            yield _paragraph(remark, _CELL)
        yield _grid(head, rows) if rows else _paragraph("None.", _TEXT)


def _grid(head: Sequence[str], rows: Rows, height: float | None = None) -> Flowable:
    lines = [[_paragraph(cell, _BOLD) for cell in head]]
    lines += [[_paragraph(_breakable(cell), _CELL) for cell in row] for row in rows]
    longest = [max(len(row[k]) for row in rows) for k in range(len(head))]
    words = [_longest_word(row[k] for row in (head, *rows)) for k in range(len(head))]
    weights = [
        max(min(length, 40), round(1.5 * word)) for length, word in zip(longest, words, strict=True)
    ]
    if height:
        weights = [30, 30, 15, 40]
    widths = [_WIDTH * weight / sum(weights) for weight in weights]
    grid = Table(
        lines,
        colWidths=widths,
        rowHeights=[None, *[height] * len(rows)] if height else None,
        repeatRows=1,
    )
    grid.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
                ("BACKGROUND", (0, 0), (-1, 0), _SOFT),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return grid


def _longest_word(cells: Iterable[str]) -> int:
    """Characters of the longest word that must not break: digests may."""
    return max(len(word) for cell in cells for word in (cell.split() or [""]) if len(word) < 64)


def _breakable(cell: str, width: int = 16) -> str:
    """Digests in pieces, so that they fit a column."""
    words = []
    for word in cell.split(" "):
        pieces = [word[k : k + width] for k in range(0, len(word), width)]
        words.append(" ".join(pieces) if len(word) >= 64 else word)
    return " ".join(words)


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(text.encode("cp1252", "replace").decode("cp1252")), style)
