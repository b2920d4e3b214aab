"""The reports of a run. Their modules are imported only if a report is requested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from oarflow.networks.cards import Card
from oarflow.result import OutputPart, ResultDocument
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.run.settings import Outputs
from oarflow.volume import Volume
from oarflow.writing.proven import OutputFile


@dataclass(frozen=True)
class Reports:
    """The reports that the settings request. cards: of all networks."""

    outputs: Outputs
    cards: tuple[Card, ...]
    provenance: Provenance
    when: datetime

    @property
    def wanted(self) -> bool:
        """Whether any report is requested."""
        outputs = self.outputs
        return outputs.report_html or outputs.report_pdf or outputs.report_dicom

    def write(
        self,
        folder: Path,
        result: ResultDocument,
        volume: Volume | None = None,
        structures: StructureSet | None = None,
    ) -> tuple[OutputFile, ...]:
        """Write the reports into a folder of unfinished files (see `write_reports`)."""
        from oarflow.report.content import validation_figures
        from oarflow.report.files import ReportPlan, write_reports

        plan = ReportPlan(
            folder,
            self.provenance,
            self.when,
            html=self.outputs.report_html,
            pdf=self.outputs.report_pdf,
            dicom=self.outputs.report_dicom,
            figures=validation_figures(self.cards, result.organs),
        )
        return write_reports(plan, result, volume, structures)


def output_parts(files: Iterable[OutputFile]) -> tuple[OutputPart, ...]:
    """Files as result.json lists them."""
    return tuple(
        OutputPart(
            path=item.name,
            kind=item.kind,
            sop_instance_uid=item.sop_instance_uid,
            sha256=item.sha256,
        )
        for item in files
    )
