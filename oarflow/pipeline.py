"""The whole chain, from a folder of files to checked contours, step by step.

Each step takes a Study and returns one with its own results added. `run` executes the steps in one
process; the MONAI Deploy application wraps each step in an operator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from oarflow.commissioning.site import SiteRecords
from oarflow.derived.deriving import derived
from oarflow.derived.structures import DerivedStructure
from oarflow.errors import ConfigurationError, Refusal
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.intake import Intake, SeriesRule
from oarflow.intake.mr import read_mr
from oarflow.networks.cards import Card
from oarflow.networks.rule_card import RuleCard
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue
from oarflow.plausibility import rules
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.plausibility.distance_limits import load_distance_limits
from oarflow.plausibility.second_opinion import with_opinion
from oarflow.rules.rule import RuleOptions
from oarflow.segmentation.clipping import EXTERNAL, clipped
from oarflow.segmentation.mr import NO_MR, RegisteredMr, mr_flags, registered
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, Segmentation
from oarflow.templates.template import TemplateChoice
from oarflow.writing.proven import WritePlan, Written, write_proved

Progress = Callable[[int, int], None]
"""Called with the number of slices read and the number of all slices."""


class Observer(Protocol):
    """Receives the progress of a run."""

    def stage_started(self, stage: str) -> None: ...

    def stage_finished(self, stage: str, seconds: float) -> None: ...

    def slices_read(self, done: int, total: int) -> None: ...

    def organ_started(self, organ: str, number: int, total: int) -> None: ...

    def organ_finished(self, segmentation: Segmentation, number: int, total: int) -> None: ...


@dataclass(frozen=True)
class Task:
    """One study to contour, with networks, catalogue and settings.

    read: reads the study; takes the progress callback, raises Refusal. organs: catalogue names, in
    the order in which they are contoured. organ_seconds: time limit of one organ, None for none.
    shifts: whether each network runs a second time on a shifted patch, to measure how stable its
    contour is. precedence: organs that keep the voxels shared with later ones. mr: which MR series
    the networks read. template: the template that the settings are from, None without one.
    for_ct: returns the task with the template that fits the CT; None without templates.
    records: the networks that are commissioned at the site. rules: what the site decides about
    organs without a network. clip: whether organs are clipped to External.
    structures: made from contours, parents before children. second_opinions: by organ, networks
    that contour it, too; their contours are compared and then dropped.
    """

    read: Callable[[Progress], Intake]
    store: ModelStore
    organs: Sequence[str]
    organ_seconds: float | None
    shifts: bool
    precedence: Sequence[str]
    catalogue: Catalogue
    plan: WritePlan
    mr: SeriesRule = field(default_factory=lambda: SeriesRule(modality="MR"))
    template: TemplateChoice | None = None
    for_ct: Callable[[Intake], Task] | None = None
    records: SiteRecords = field(default_factory=SiteRecords)
    rules: RuleOptions = field(default_factory=RuleOptions)
    clip: bool = False
    structures: Sequence[DerivedStructure] = ()
    second_opinions: Mapping[str, Sequence[Card]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """The results for a study so far.

    seconds: by stage. networks: cards of the networks and rules that ran, the first one first.
    segmentations: in the order of the task's organs, then of its structures. flags: of the whole
    study. error: the error that ended the chain; the later steps are skipped. task: the task with
    the template that fits the CT; None if the run has no templates.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    networks: tuple[Card | RuleCard, ...] = ()
    intake: Intake | None = None
    localizations: Mapping[str, Localization] = field(default_factory=dict)
    mr: RegisteredMr = NO_MR
    segmentations: tuple[Segmentation, ...] = ()
    flags: tuple[Flag, ...] = ()
    written: Written | None = None
    error: Exception | None = None
    task: Task | None = None

    @property
    def read(self) -> Intake:
        """The intake. The study must have been read."""
        assert self.intake is not None
        return self.intake

    def updated(self, segmentations: Iterable[Segmentation]) -> Study:
        """The study with newer segmentations of some organs."""
        newer = {segmentation.organ: segmentation for segmentation in segmentations}
        kept = tuple(newer.pop(old.organ, old) for old in self.segmentations)
        return replace(self, segmentations=(*kept, *newer.values()))


class StepError(Exception):
    """A step ended early. study: its results until then. reason: the error that ended it."""

    def __init__(self, study: Study, reason: Exception) -> None:
        super().__init__()
        self.study = study
        self.reason = reason


Step = Callable[[Study, Task, Observer], Study]


def run(study: Study, task: Task, observer: Observer) -> Study:
    """Run every step of a task. Errors are stored in the study. Raises ConfigurationError."""
    for stage in STEPS:
        if is_needed(stage, task):
            study = carry_out(stage, study, task, observer)
    return study


def is_needed(stage: str, task: Task) -> bool:
    """Whether a task has work for a stage."""
    if stage == "register":
        return task.store.reads_mr
    return stage != "derive" or bool(task.structures)


def carry_out(stage: str, study: Study, task: Task, observer: Observer) -> Study:
    """Run one of STEPS and time it. Errors are stored in the study. Raises ConfigurationError."""
    if study.error is not None:
        return study
    observer.stage_started(stage)
    started = time.monotonic()
    try:
        study = STEPS[stage](study, study.task or task, observer)
    except ConfigurationError:
        raise
    except StepError as error:
        study = replace(error.study, error=error.reason)
    except Exception as error:
        study = replace(study, error=error)
    seconds = time.monotonic() - started
    observer.stage_finished(stage, seconds)
    return replace(study, seconds={**study.seconds, stage: seconds})


def intake(study: Study, task: Task, observer: Observer) -> Study:
    """Read the files as one CT, and take the template that fits it. Raises Refusal."""
    found = task.read(observer.slices_read)
    return replace(study, intake=found, task=task.for_ct(found) if task.for_ct else None)


def localize(study: Study, task: Task, observer: Observer) -> Study:
    """Find every organ in the whole CT. Raises Refusal where it is no head and neck."""
    volume, store = study.read.volume, task.store
    found = find_organs(volume, store, also=task.second_opinions)
    study = replace(study, networks=store.localizing_cards)
    try:
        require_head_and_neck(
            found, volume, lambda turned: find_organs(turned, store), store.sure_score
        )
    except Refusal as refusal:
        raise StepError(study, refusal) from refusal
    return replace(study, localizations=found)


def register(study: Study, task: Task, observer: Observer) -> Study:
    """Choose the study's MR, register it to the CT and check the registration."""
    before = study.read
    choice, after = read_mr(before, task.mr)
    mr, remark = RegisteredMr(None, choice.trouble), choice.trouble
    if choice.volume is not None:
        mr, remark = registered(after.volume, choice.volume)
    if mr.values is None:  # no network reads the MR: its files count as unused
        after = before
    if remark:
        after = replace(after, notes=(*after.notes, remark))
    return replace(study, intake=after, mr=mr)


def segment(study: Study, task: Task, observer: Observer) -> Study:
    """Contour each organ: run its network, keep its probability field, set its status."""
    segmenter = Segmenter(
        study.read.volume,
        study.localizations,
        task.store,
        study.mr,
        shifts=task.shifts,
        rules=task.rules,
    )
    before, total = study, len(task.organs)
    try:
        for number, organ in enumerate(task.organs, start=1):
            observer.organ_started(organ, number, total)
            limit = task.organ_seconds
            deadline = None if limit is None else time.monotonic() + limit
            found = _contoured(organ, segmenter, task, study.read.volume.grid, deadline)
            networks = (*before.networks, *segmenter.networks)
            study = replace(study.updated([found]), networks=networks)
            observer.organ_finished(found, number, total)
    except Exception as error:
        raise StepError(study, error) from error
    return study


def _contoured(
    organ: str, segmenter: Segmenter, task: Task, grid: Grid, deadline: float | None
) -> Segmentation:
    """An organ, clipped if the task says so, with the second opinions that the task asks for."""

    def within_body(item: Segmentation) -> Segmentation:
        return clipped(item, segmenter.segment(EXTERNAL), grid) if task.clip else item

    found = within_body(segmenter.segment(organ, deadline))
    for card in task.second_opinions.get(organ, ()):
        other = within_body(segmenter.segment_with(card, organ, deadline))
        known = task.catalogue.organ(organ)
        found = with_opinion(found, other, grid, known, load_distance_limits())
    return found


def assess(study: Study, task: Task, observer: Observer) -> Study:
    """Settle overlaps; flag implausible contours, and those of networks not commissioned."""
    found = rules.assess(study.read.volume, study.segmentations, task.catalogue, task.precedence)
    flags = (*found.study_flags, *mr_flags(study.mr, task.organs, task.store))
    return replace(study.updated(map(task.records.flagged, found.segmentations)), flags=flags)


def derive(study: Study, task: Task, observer: Observer) -> Study:
    """Make the structures that follow from contours by recipe."""
    plan, grid = task.plan, study.read.volume.grid
    made = derived(grid, study.segmentations, task.structures, plan.specs, plan.options)
    return study.updated(made)


def write(study: Study, task: Task, observer: Observer) -> Study:
    """Write the DICOM files, read them back and compare. Raises Refusal, Fault."""
    lost: list[Segmentation] = []
    before = study.read
    try:
        written = write_proved(
            before.volume,
            before.paths,
            study.segmentations,
            task.plan,
            lost.append,
            study_flags=study.flags,
        )
    except Exception as error:
        raise StepError(study.updated(lost), error) from error
    return replace(study.updated(written.segmentations), written=written)


STEPS: Mapping[str, Step] = {
    "intake": intake,
    "localize": localize,
    "register": register,
    "segment": segment,
    "assess": assess,
    "derive": derive,
    "write": write,
}
"""The steps in their order, by the names that result.json gives them."""
