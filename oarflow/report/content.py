"""The words and figures of a report, shared by HTML and PDF."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oarflow.networks.cards import Card
from oarflow.report.scene import ReportScene, make_scene
from oarflow.report.strips import Strip, make_strips
from oarflow.result import (
    NetworkPart,
    OrganPart,
    ResultDocument,
    SecondOpinionPart,
    SourcePart,
)
from oarflow.rtstruct.model import StructureSet
from oarflow.structures import OpinionVerdict, Status
from oarflow.volume import Volume

WARNING = "AI-generated, unapproved"
"""Shown on every view and on every page."""

PURPOSE = "For research use only. A qualified person must review every contour."

AGAINST_DERIVED = "with labels computed by rules"
"""Shown beside every Dice that was not measured with drawn contours."""

DERIVED_DICE = f"{AGAINST_DERIVED}, which does not show agreement with clinicians; "

DERIVED_NOTE = "The network learned from labels computed by rules, not from drawn contours."

STATUS_WORDS: Mapping[Status, str] = {
    Status.SEGMENTED: "contoured",
    Status.SUSPICIOUS: "contoured, check first",
    Status.TRUNCATED: "contoured, cut by the field of view",
    Status.ABSENT: "not in the scan",
    Status.FAILED: "failed, not contoured",
    Status.NO_MODEL: "no network installed",
    Status.NOT_DERIVED: "not derived, a parent organ is missing",
}
STATUS_SIGNS: Mapping[Status, str] = {
    Status.SEGMENTED: "OK",
    Status.SUSPICIOUS: "!",
    Status.TRUNCATED: "!",
    Status.ABSENT: "-",
    Status.FAILED: "x",
    Status.NO_MODEL: "-",
    Status.NOT_DERIVED: "-",
}
"""Characters for each status, so that no reader depends on colours."""

SCORES = (
    (0, "severe defect: large and obvious errors"),
    (1, "moderate defect: minor errors that can be corrected"),
    (2, "mild defect: clinically insignificant errors"),
    (3, "precise: no editing required"),
)
"""The four-point scale of TWOSTEP (subjective validation). TWOSTEP accepts 2 and more."""


@dataclass(frozen=True)
class ModelFigures:
    """A network's Dice on its validation data: mean over n patients.

    data: the validation data, in words. derived: whether the labels were computed by rules instead
    of drawn by clinicians.
    """

    dice_mean: float
    n: int
    data: str
    derived: bool = False

    @property
    def words(self) -> str:
        """The figure, with a remark where it was not measured with drawn contours."""
        against = f" {AGAINST_DERIVED}" if self.derived else ""
        return f"{self.dice_mean:.2f} (n = {self.n}){against}"


@dataclass(frozen=True)
class Row:
    """One line of the overview.

    flags: sentences with their codes. details: recipe, flags and notes. network: name and version,
    or the parents of a derived structure. dice: the validation Dice in words.
    """

    part: OrganPart
    sign: str
    status: str
    volume: str
    flags: tuple[str, ...]
    details: tuple[str, ...]
    network: str
    dice: str
    strip: Strip | None

    @property
    def anchor(self) -> str:
        """Where the organ's section is, for links within a page."""
        return f"organ-{self.strip.outline.number}" if self.strip else ""


@dataclass(frozen=True)
class Table:
    """Names and values under a heading."""

    heading: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report shows. scene: None where nothing was contoured."""

    result: ResultDocument
    scene: ReportScene | None = None
    strips: tuple[Strip, ...] = ()
    figures: Mapping[str, ModelFigures] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The requested organs. Those to check first come first."""
        strips = {strip.outline.organ: strip for strip in self.strips}
        order = (Status.FAILED, Status.SUSPICIOUS, Status.TRUNCATED)
        parts = sorted(
            self.result.organs, key=lambda p: order.index(p.status) if p.status in order else 9
        )
        return tuple(
            _row(part, self.figures.get(part.name), strips.get(part.name)) for part in parts
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """The flags of the whole study: the report's first lines."""
        return tuple(f"Whole study: {flag.message}" for flag in self.result.study_flags)

    @property
    def headline(self) -> str:
        """The outcome of the run in one sentence."""
        if self.result.refusal:
            return f"The input was refused: {self.result.refusal.code}"
        if self.result.fault:
            return "The program failed: nothing was contoured"
        counts = Counter(part.status for part in self.result.organs)
        written = sum(n for status, n in counts.items() if status.written)
        doubtful = counts[Status.SUSPICIOUS] + counts[Status.TRUNCATED]
        first = f"{written} of {len(self.result.organs)} organs contoured"
        return f"{first}. Check {doubtful} of them first" if doubtful else first

    @property
    def reasons(self) -> tuple[Table, ...]:
        """Why nothing was contoured; empty if something was."""
        refusal, fault = self.result.refusal, self.result.fault
        if fault:
            return (Table(fault.kind, (("What happened", fault.message),)),)
        if refusal is None:
            return ()
        return tuple(
            Table(
                str(reason.code),
                (
                    ("What it means", reason.meaning),
                    ("In this input", reason.detail),
                    ("What to do", reason.remedy),
                ),
            )
            for reason in (refusal, *refusal.also)
        )

    @property
    def measured(self) -> tuple[str, ...]:
        """The data of the validation Dice with their organs, in words."""
        organs: dict[tuple[bool, str], list[str]] = {}
        for part in self.result.organs:
            figures = self.figures.get(part.name)
            if figures and part.model:
                organs.setdefault((figures.derived, figures.data), []).append(part.name)
        return tuple(
            f"{', '.join(names)}: {DERIVED_DICE if derived else ''}{data}"
            for (derived, data), names in organs.items()
        )

    @property
    def provenance(self) -> tuple[Table, ...]:
        """Program, input, networks, files and settings of the run."""
        return tuple(_provenance(self.result))


def make_report(
    result: ResultDocument,
    volume: Volume | None = None,
    structures: StructureSet | None = None,
    figures: Mapping[str, ModelFigures] | None = None,
) -> Report:
    """The report of a run. volume, structures: of the written contours; None without contours.

    figures: validation figures by organ (see `validation_figures`).
    """
    if volume is None or structures is None:
        return Report(result, figures=figures or {})
    scene = make_scene(volume, structures)
    return Report(result, scene, make_strips(scene), figures or {})


def validation_figures(
    cards: Iterable[Card], organs: Iterable[OrganPart]
) -> dict[str, ModelFigures]:
    """By organ, the figures on the card of the network that contoured it, where it has any."""
    by_network = {card.sha256: card for card in cards}
    found = {}
    for part in organs:
        card = by_network.get(part.model.sha256) if part.model else None
        measured = card.validation if card else None
        mean = measured.figures.get(part.name, {}).get("dice_mean") if measured else None
        if card and measured and mean is not None:
            n = measured.n.get(part.name, 0)
            found[part.name] = ModelFigures(mean, n, measured.data, card.identity.derived_labels)
    return found


def _row(part: OrganPart, figures: ModelFigures | None, strip: Strip | None) -> Row:
    written = part.status.written
    flags = tuple(f"{flag.message} ({flag.code})" for flag in part.flags)
    derived = written and part.model is not None and part.model.derived_labels
    return Row(
        part=part,
        sign=STATUS_SIGNS[part.status],
        status=STATUS_WORDS[part.status],
        volume=f"{part.volume_cc:.1f} cc on {part.slices} slices" if written else "",
        flags=flags,
        details=(
            *([_sentence(part.recipe)] if part.recipe else []),
            *flags,
            *map(_sentence, part.notes),
            *map(_opinion, part.second_opinions),
            *([DERIVED_NOTE] if derived else []),
        ),
        network=_maker(part),
        dice=_dice(part, figures),
        strip=strip,
    )


def _opinion(found: SecondOpinionPart) -> str:
    network = f"Second network {found.network.name} {found.network.version}"
    if found.mean_mm is not None and found.hd95_mm is not None:
        measured = "measured on patients" if found.limit_measured else "a guess"
        return (
            f"{network}: mean surface distance {found.mean_mm:.1f} mm (limit "
            f"{found.limit_mm:.1f} mm, {measured}), HD95 {found.hd95_mm:.1f} mm."
        )
    if found.verdict is OpinionVerdict.FAILED:
        return f"{network}: {found.reason}."
    if found.volume_cc:
        return f"{network}: found {found.volume_cc:.1f} cc."
    return f"{network}: found nothing."


def _dice(part: OrganPart, figures: ModelFigures | None) -> str:
    if figures and part.model and not part.model.rule:
        return figures.words
    return "" if part.parents else "not measured"


def _maker(part: OrganPart) -> str:
    if part.parents:
        return f"made from {', '.join(part.parents)}"
    return f"{part.model.name} {part.model.version}" if part.model else ""


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}" + ("" if note.endswith(".") else ".")


def _provenance(result: ResultDocument) -> Iterable[Table]:
    run = result.run
    yield Table(
        "Run",
        (
            ("Program", f"{run.program} {run.version}"),
            ("Started", run.started),
            ("Device", run.device or "no network ran"),
            ("Exit status", str(result.exit_status)),
            ("Seconds by stage", ", ".join(f"{k} {v:.1f}" for k, v in run.stages.items())),
            *_template(result),
        ),
    )
    if result.input:
        yield Table("Input", tuple(_input(result)))
    if run.networks:
        yield Table("Networks and rules that ran", tuple(map(_network, run.networks)))
    if result.outputs:
        lines = tuple(
            (item.path, f"{item.kind}, SOP Instance UID {item.sop_instance_uid}, {item.sha256}")
            for item in result.outputs
        )
        yield Table("Files", lines)
    if result.settings:
        yield Table(
            "Settings", tuple((key, json.dumps(value)) for key, value in result.settings.items())
        )


def _template(result: ResultDocument) -> Iterable[tuple[str, str]]:
    if result.template is not None:
        yield "Template", f"{result.template.words}, sha256 {result.template.sha256}"


def _network(part: NetworkPart) -> tuple[str, str]:
    labels = "; learned from rule-derived labels" if part.derived_labels else ""
    kind = "rule" if part.rule else "network"
    return (
        f"{part.name}, {kind} version {part.version}",
        f"{part.role}; sha256 {part.sha256}{labels}{_source(part.source)}",
    )


def _source(source: SourcePart | None) -> str:
    if source is None:
        return "; origin and licence not recorded"
    commercial = f"commercial use: {source.commercial}"
    return f"; origin: {source.origin}; licence: {source.licence}, {commercial}"


def _input(result: ResultDocument) -> Iterable[tuple[str, str]]:
    found = result.input
    if found is None:
        return
    z, y, x = found.spacing_mm
    yield "Study Instance UID", found.study_instance_uid
    yield "Series Instance UID", found.series_instance_uid
    yield "Frame of Reference UID", found.frame_of_reference_uid
    yield "Matrix", f"{found.slices} slices of {found.rows} x {found.columns}"
    yield "Spacing", f"{z:g} mm between slices, {y:g} mm between rows, {x:g} mm between columns"
    yield "Pixels", f"sha256 {found.pixel_sha256}"
    if result.files:
        classes = ", ".join(f"{count} {name}" for name, count in result.files.classes.items())
        yield "Files", f"{result.files.total}: {classes}"
    for note in found.notes:
        yield "Note", note
