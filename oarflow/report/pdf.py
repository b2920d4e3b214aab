"""report.pdf: the report for printing, and for the PACS within a DICOM object."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    TableStyle,
)
from reportlab.platypus import Table as Grid

from oarflow.report.content import PURPOSE, WARNING, Report, Row, Table
from oarflow.report.strips import Strip, Tile
from oarflow.shown import shown

MARGIN = 15 * mm
_WIDTH = A4[0] - 2 * MARGIN
_GAP = 1.5 * mm
_HEADER = 10 * mm
_AMBER, _INK, _LINE, _SOFT = map(HexColor, ("#7a3e00", "#16202a", "#b9c3cc", "#eef2f5"))

_TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=8.5, leading=11, textColor=_INK)
_CELL = ParagraphStyle("cell", parent=_TEXT, fontSize=7.5, leading=9.5)
_BOLD = ParagraphStyle("bold", parent=_CELL, fontName="Helvetica-Bold")
_TITLE = ParagraphStyle("title", parent=_TEXT, fontName="Helvetica-Bold", fontSize=16, leading=20)
_HEADLINE = ParagraphStyle(
    "headline", parent=_TEXT, fontName="Helvetica-Bold", fontSize=11, leading=15
)
_WARNING = ParagraphStyle("warning", parent=_HEADLINE, textColor=_AMBER)
_HEADING = ParagraphStyle("heading", parent=_HEADLINE, spaceBefore=10, spaceAfter=4)
_ORGAN = ParagraphStyle("organ", parent=_TEXT, spaceBefore=8, spaceAfter=3)


def write_pdf(path: Path, report: Report) -> None:
    """Write the report as PDF (A4). The same report gives the same bytes."""
    document = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN + _HEADER,
        bottomMargin=MARGIN,
        title=f"OARflow report: {WARNING}",
        author="OARflow",
        invariant=1,
    )
    document.build(list(_story(report)), onFirstPage=_frame_page, onLaterPages=_frame_page)


def _frame_page(canvas: Canvas, document: Any) -> None:
    """The warning and the page's number, on every page."""
    canvas.saveState()
    canvas.setFillColor(_AMBER)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(MARGIN, A4[1] - MARGIN, WARNING)
    canvas.setFont("Helvetica", 8)
    canvas.drawRightString(A4[0] - MARGIN, A4[1] - MARGIN, PURPOSE)
    canvas.setStrokeColor(_AMBER)
    canvas.line(MARGIN, A4[1] - MARGIN - 4, A4[0] - MARGIN, A4[1] - MARGIN - 4)
    canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, f"page {document.page}")
    canvas.drawString(MARGIN, MARGIN / 2, "OARflow report")
    canvas.restoreState()


def _story(report: Report) -> Iterator[Flowable]:
    result = report.result
    for warning in report.warnings:
        yield _paragraph(warning, _WARNING)
    yield _paragraph("OARflow report", _TITLE)
    yield _paragraph(f"{report.headline}.", _HEADLINE)
    yield _paragraph(
        f"Run on {result.run.started} with {result.run.program} {result.run.version}.", _TEXT
    )
    for reason in report.reasons:
        yield from _section(reason)
    if report.rows:
        yield _paragraph("Overview", _HEADING)
        yield _overview(report.rows)
        for line in report.measured:
            yield _paragraph(f"Validation Dice of {line}.", _CELL)
    for row in report.rows:
        if row.strip:
            yield from _organ(row, row.strip)
    yield _paragraph("Provenance", _HEADING)
    for table in report.provenance:
        yield from _section(table)


def _overview(rows: Iterable[Row]) -> Flowable:
    head = (
        "Organ",
        "Status",
        "Volume",
        "What to check, notes",
        "Validation Dice",
        "Source",
    )
    lines = [[[_paragraph(word, _BOLD)] for word in head]]
    for row in rows:
        cells = (
            (row.part.name,),
            (f"{row.sign} {row.status}",),
            (row.volume,),
            row.details,
            (row.dice if row.network else "",),
            (row.network,),
        )
        lines.append([[_paragraph(text, _CELL) for text in texts] for texts in cells])
    shares = (0.16, 0.16, 0.13, 0.27, 0.14, 0.14)
    grid = Grid(lines, colWidths=[_WIDTH * share for share in shares], repeatRows=1)
    grid.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
                ("BACKGROUND", (0, 0), (-1, 0), _SOFT),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return grid


def _organ(row: Row, strip: Strip) -> Iterator[Flowable]:
    about = f"{row.status}; {row.volume}; window: {strip.window.name}"
    heading = Paragraph(f"<b>{_plain(row.part.name)}</b> {_plain(about)}", _ORGAN)
    flags = [_paragraph(line, _CELL) for line in row.flags]
    yield KeepTogether([heading, *flags, _Tiles(strip)])


def _section(table: Table) -> Iterator[Flowable]:
    yield _paragraph(table.heading, _HEADING)
    lines = [[_paragraph(name, _CELL), _paragraph(value, _CELL)] for name, value in table.lines]
    grid = Grid(lines, colWidths=[_WIDTH * 0.22, _WIDTH * 0.78])
    grid.setStyle(
        TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 0.5)])
    )
    yield grid


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(_plain(text), style)


def _plain(text: str) -> str:
    """Text for a paragraph: no mark-up, and only characters of the built-in fonts."""
    return escape(shown(text, keep="\n").encode("cp1252", "replace").decode("cp1252"))


class _Tiles(Flowable):
    """An organ's slices side by side with their contours."""

    def __init__(self, strip: Strip) -> None:
        super().__init__()
        self.strip = strip

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        columns = max(len(self.strip.tiles), 5)
        self.tile_width = (available_width - _GAP * (columns - 1)) / columns
        self.tile_height = self.tile_width / self.strip.aspect
        return available_width, self.tile_height + 9

    def draw(self) -> None:
        for number, tile in enumerate(self.strip.tiles):
            self._tile(tile, number * (self.tile_width + _GAP))

    def _tile(self, tile: Tile, left: float) -> None:
        canvas = self.canv
        canvas.saveState()
        canvas.setFont("Helvetica", 6)
        canvas.setFillColor(_AMBER)
        canvas.drawString(left, 2, f"slice {tile.slice_index + 1}, {tile.position_mm:.1f} mm")
        canvas.translate(left, 9)
        picture = ImageReader(io.BytesIO(tile.jpeg))
        canvas.drawImage(picture, 0, 0, self.tile_width, self.tile_height)
        scale = self.tile_width / tile.width, self.tile_height / tile.height
        outline = canvas.beginPath()
        for ring in tile.rings:
            points = [(x * scale[0], self.tile_height - y * scale[1]) for x, y in ring]
            outline.moveTo(*points[0])
            for point in points[1:]:
                outline.lineTo(*point)
            outline.close()
        red, green, blue = self.strip.outline.colour
        for colour, width in (
            (Color(0, 0, 0, alpha=0.6), 1.6),
            (Color(red / 255, green / 255, blue / 255), 0.8),
        ):
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(width)
            canvas.drawPath(outline)
        self._sides()
        canvas.restoreState()

    def _sides(self) -> None:
        """Draw the letters of the patient's sides, white on dark spots, at half the height."""
        canvas, middle = self.canv, self.tile_height / 2
        canvas.setFont("Helvetica-Bold", 7)
        near, far = self.strip.sides
        for letter, x in ((near, 5.0), (far, self.tile_width - 5.0)):
            canvas.setFillColor(Color(0, 0, 0, alpha=0.6))
            canvas.circle(x, middle, 4.5, stroke=0, fill=1)
            canvas.setFillColor(Color(1, 1, 1))
            canvas.drawCentredString(x, middle - 2.5, letter)
