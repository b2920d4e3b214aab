"""The report as files with temporary names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from oarflow.report.content import ModelFigures, Report, make_report
from oarflow.result import ResultDocument
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.volume import Volume
from oarflow.writing.proven import OutputFile, output_file

_SOP_CLASSES = {"RTSTRUCT": RTStructureSetStorage, "SEG": SegmentationStorage}


@dataclass(frozen=True)
class ReportPlan:
    """The requested reports.

    folder: for unfinished files. dicom: the PDF as an object of the study. figures: by organ, from
    the networks' cards.
    """

    folder: Path
    provenance: Provenance
    when: datetime
    html: bool = False
    pdf: bool = False
    dicom: bool = False
    figures: Mapping[str, ModelFigures] = field(default_factory=dict)


def write_reports(
    plan: ReportPlan,
    result: ResultDocument,
    volume: Volume | None = None,
    structures: StructureSet | None = None,
) -> tuple[OutputFile, ...]:
    """Write the reports of a run. volume, structures: None where no contours were written.

    Without them there is no DICOM object: a refused study gets no `.dcm` file.
    """
    report = make_report(result, volume, structures, plan.figures)
    files = []
    if plan.html:
        from oarflow.report.page import write_report

        path = plan.folder / "report-html.part"
        write_report(path, report)
        files.append(output_file(path, "report.html", "REPORT_HTML", None))
    dicom = plan.dicom and volume is not None and structures is not None
    if plan.pdf or dicom:
        files += _pdf(plan, report, volume if dicom else None)
    return tuple(files)


def _pdf(plan: ReportPlan, report: Report, volume: Volume | None) -> list[OutputFile]:
    """The PDF if requested, and the DICOM object around it if a volume is given."""
    from oarflow.report.encapsulated import write_encapsulated
    from oarflow.report.pdf import write_pdf

    path = plan.folder / "report-pdf.part"
    write_pdf(path, report)
    files = [output_file(path, "report.pdf", "REPORT_PDF", None)] if plan.pdf else []
    if volume is not None:
        target = plan.folder / "report-dicom.part"
        uid = write_encapsulated(
            target,
            path.read_bytes(),
            volume.source,
            derived_from=[
                (_SOP_CLASSES[item.kind], item.sop_instance_uid)
                for item in report.result.outputs
                if item.kind in _SOP_CLASSES and item.sop_instance_uid
            ],
            provenance=plan.provenance,
            when=plan.when,
        )
        files.append(output_file(target, "report.dcm", "ENCAPSULATED_PDF", uid))
    return files
