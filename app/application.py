"""The MONAI Deploy application: its graph on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oarflow.intake import Intake, SeriesRule
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue
from oarflow.writing import WritePlan, Written
from operators.assess_operator import AssessOperator
from operators.deliver_operator import DeliverOperator
from operators.intake_operator import IntakeOperator, Progress
from operators.localize_operator import LocalizeOperator
from operators.register_operator import RegisterOperator
from operators.sdk import Application, CountCondition
from operators.segment_operator import SegmentOperator
from operators.stage import Journal
from operators.write_operator import WriteOperator


@dataclass(frozen=True)
class Job:
    """One study to contour, and everything that decides how."""

    read: Callable[[Progress], Intake]
    store: ModelStore
    organs: Sequence[str]
    organ_seconds: float | None
    shifts: bool
    precedence: Sequence[str]
    catalogue: Catalogue
    plan: WritePlan
    deliver: Callable[[Written], None]
    mr: SeriesRule = field(default_factory=lambda: SeriesRule(modality="MR"))


class OARflow(Application):  # type: ignore[misc]  # the SDK has no types
    """Contours of the organs at risk of one study.

    intake -> localize -> segment -> assess -> write (and self-check) -> deliver
    and, where a network reads an MR, intake -> register -> segment

    `run` raises what an operator raised: Refusal, Fault, ConfigurationError.
    """

    def __init__(self, job: Job, journal: Journal) -> None:
        self.job = job
        self.journal = journal
        super().__init__()

    def compose(self) -> None:
        """Called by the SDK."""
        job, journal = self.job, self.journal
        once = CountCondition(self, 1)
        intake = IntakeOperator(self, once, journal=journal, read=job.read)
        localize = LocalizeOperator(self, journal=journal, store=job.store)
        segment = SegmentOperator(
            self,
            journal=journal,
            store=job.store,
            organs=job.organs,
            organ_seconds=job.organ_seconds,
            shifts=job.shifts,
        )
        assess = AssessOperator(
            self, journal=journal, catalogue=job.catalogue, precedence=job.precedence
        )
        write = WriteOperator(self, journal=journal, plan=job.plan)
        deliver = DeliverOperator(self, journal=journal, deliver=job.deliver)

        self.add_flow(intake, localize, {("intake", "intake")})
        self.add_flow(intake, segment, {("intake", "intake")})
        self.add_flow(localize, segment, {("localizations", "localizations")})
        if job.store.reads_mr:
            register = RegisterOperator(self, journal=journal, rule=job.mr)
            self.add_flow(intake, register, {("intake", "intake")})
            self.add_flow(register, segment, {("mr", "mr")})
        self.add_flow(intake, assess, {("intake", "intake")})
        self.add_flow(segment, assess, {("segmentations", "segmentations")})
        self.add_flow(intake, write, {("intake", "intake")})
        self.add_flow(assess, write, {("assessed", "segmentations")})
        self.add_flow(write, deliver, {("written", "written")})
