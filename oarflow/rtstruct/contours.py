"""Segmentations to a structure set: the contours of every organ, and a report on each step."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.rtstruct.descriptions import roi_description
from oarflow.rtstruct.islands import NONE_DROPPED, Dropped, gaps, with_gaps_filled, without_islands
from oarflow.rtstruct.keyhole import KeyholeError
from oarflow.rtstruct.model import Contour, GeometricType, Roi, StructureSet
from oarflow.rtstruct.outlines import OutlineError, OutlineLimits, Region, Tally, outlines
from oarflow.rtstruct.plane import SlicePlanes
from oarflow.rtstruct.specks import without_specks
from oarflow.rtstruct.specs import RoiSpec
from oarflow.rtstruct.tracing import Rings, trace_rings
from oarflow.structures import ProbabilityField, Segmentation
from oarflow.volume import Source

logger = logging.getLogger(__name__)

SIMPLIFY_TOLERANCE_MM = 0.02
"""Greatest distance in mm of a simplified outline from the traced one. The chords lie inside a
sphere: at 0.1 mm a 20 mm sphere loses 0.7 % of its volume, at 0.02 mm 0.1 %."""

MAX_CONTOUR_BYTES = 65_534
"""Greatest length of one contour's coordinates in bytes, for Explicit VR (PS3.3 C.8.8.6)."""

CLEARANCE_PIXELS = 0.01
"""Least distance of a ring's point from a pixel centre, in pixels."""

CLEARANCE_STEPS = 4
"""The same, in units of the rounded coordinates, so that rounding cannot close a narrow gap."""

MAX_LABEL_LENGTH = 16
"""Characters of StructureSetLabel (VR SH)."""


TOO_SMALL = "no outline is large enough to be written"
"""The reason for an organ whose mask is empty or holds only specks."""


class HoleStyle(StrEnum):
    """How a hole is written."""

    KEYHOLE = "keyhole"
    XOR = "xor"


class EmptyOrgan(StrEnum):
    """How an organ without a contour is written."""

    OMIT = "omit"
    NAMED = "named"


@dataclass(frozen=True)
class ContourOptions:
    """How contours are made.

    tolerance_mm: simplification (0: none). decimals: of coordinates in mm within the slice.
    max_points: of one contour, None for no ceiling beyond the bytes that a file allows.
    interpolate_gaps: longest run of empty slices that is filled from its neighbours (0: none).
    """

    tolerance_mm: float = SIMPLIFY_TOLERANCE_MM
    decimals: int = 3
    hole_style: HoleStyle = HoleStyle.KEYHOLE
    empty_organ: EmptyOrgan = EmptyOrgan.OMIT
    max_points: int | None = None
    interpolate_gaps: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance_mm <= 0.1:
            raise ValueError(f"simplification of {self.tolerance_mm} mm is not within 0 to 0.1")
        if not 1 <= self.decimals <= 6:
            raise ValueError(f"{self.decimals} decimals are not within 1 to 6")
        if self.max_points is not None and self.max_points < 100:
            raise ValueError(f"a ceiling of {self.max_points} points is under 100")
        if self.interpolate_gaps < 0:
            raise ValueError(f"interpolate_gaps {self.interpolate_gaps} is negative")


DEFAULT_OPTIONS = ContourOptions()


@dataclass(frozen=True)
class OrganContours:
    """Facts about the contours of one organ.

    slices: CT slices with a contour. gaps: empty CT slices between them. interpolated: CT slices
    filled from their neighbours. coarsest_mm: stronger simplification to meet a limit, else 0.
    refused: why the organ has no contour although it has a mask, else None. field: the contoured
    field if it differs from the segmentation's (islands or specks dropped, gaps filled), else None.
    """

    organ: str
    contours: int = 0
    points: int = 0
    slices: tuple[int, ...] = ()
    gaps: tuple[int, ...] = ()
    interpolated: tuple[int, ...] = ()
    islands: Dropped = NONE_DROPPED
    rings_dropped: int = 0
    area_dropped_mm2: float = 0.0
    rings_unsimplified: int = 0
    coarsest_mm: float = 0.0
    refused: str | None = None
    field: ProbabilityField | None = field(default=None, compare=False, repr=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for a person, in words."""
        said = []
        if self.islands.count:
            said.append(
                f"{self.islands.count} island(s) of {self.islands.volume_cc:.3f} cc in all dropped"
            )
        if self.gaps:
            said.append(f"{len(self.gaps)} slice(s) between others are empty")
        if self.interpolated:
            said.append(f"{len(self.interpolated)} empty slice(s) interpolated")
        if self.rings_dropped:
            said.append(
                f"{self.rings_dropped} speck(s) of {self.area_dropped_mm2:.2f} mm2 in all dropped"
            )
        if self.coarsest_mm:
            said.append(f"simplified by {self.coarsest_mm:g} mm to come within the limits")
        if self.refused:
            said.append(f"not written: {self.refused}")
        return tuple(said)


@dataclass(frozen=True)
class ContourReport:
    """The facts about every organ with a mask, in writing order."""

    organs: tuple[OrganContours, ...]

    def __getitem__(self, organ: str) -> OrganContours:
        for entry in self.organs:
            if entry.organ == organ:
                return entry
        raise KeyError(organ)


def structure_set(
    source: Source,
    grid: Grid,
    segmentations: Iterable[Segmentation],
    specs: Mapping[str, RoiSpec],
    *,
    options: ContourOptions = DEFAULT_OPTIONS,
    label: str = "OARflow",
    study_flags: Sequence[Flag] = (),
) -> tuple[StructureSet, ContourReport]:
    """Contour all written segmentations.

    segmentations: read one at a time, so that a generator keeps one field in memory; those whose
        status is not `written` get no contours. specs: by organ; its order is the order of the
        ROIs, numbered 1..n. study_flags: flags of the whole study for every description.

    Raises KeyError for an organ without a spec, ValueError for a label or names that cannot be
    written. An organ whose contours cannot be written is left out; the report has the reason.
    """
    _check_label(label)
    check_names(specs.values())
    rank = {organ: number for number, organ in enumerate(specs)}
    rois: list[tuple[Roi, str]] = []
    entries: list[OrganContours] = []
    for segmentation in segmentations:
        spec = specs[segmentation.organ]
        contours: tuple[Contour, ...] = ()
        if segmentation.status.written and segmentation.field is not None:
            contours, entry = organ_contours(source, grid, segmentation.field, spec, options)
            entries.append(entry)
        if contours or options.empty_organ is EmptyOrgan.NAMED:
            rois.append((_roi(spec, segmentation, contours, study_flags), segmentation.organ))
    rois.sort(key=lambda pair: rank[pair[1]])
    entries.sort(key=lambda entry: rank[entry.organ])
    numbered = tuple(replace(roi, number=i) for i, (roi, _) in enumerate(rois, start=1))
    if len({organ for _, organ in rois}) != len(rois):
        raise ValueError("an organ has more than one segmentation")
    structures = StructureSet(
        label,
        numbered,
        source.frame_of_reference_uid,
        frozenset(source.sop_instance_uids),
        tuple(flag.message for flag in study_flags),
    )
    return structures, ContourReport(tuple(entries))


def organ_contours(
    source: Source,
    grid: Grid,
    field: ProbabilityField,
    spec: RoiSpec,
    options: ContourOptions = DEFAULT_OPTIONS,
) -> tuple[tuple[Contour, ...], OrganContours]:
    """Contour one organ: islands, gaps, tracing, cleaning. Slices ascend in the result."""
    kept, islands = without_islands(field, grid, spec.minimum_island_cc)
    kept, interpolated = with_gaps_filled(kept, grid, options.interpolate_gaps)
    planes = SlicePlanes(grid, options.decimals)
    tally = Tally()
    regions: list[Region] = []
    contours: tuple[Contour, ...] = ()
    refused = None
    try:
        regions = outlines(
            _traced(kept, grid, planes),
            planes,
            options.tolerance_mm,
            OutlineLimits(options.max_points, MAX_CONTOUR_BYTES),
            tally,
        )
        contours = _contours(regions, source, options.hole_style)
        if not contours:
            refused = TOO_SMALL
    except (OutlineError, KeyholeError) as error:
        refused = str(error)
        logger.warning("%s has no contours: %s", spec.organ, refused)
    kept = without_specks(kept, tally.specks)
    written = sorted({region.slice_index for region in regions}) if contours else []
    filled = np.zeros(grid.shape[0], dtype=bool)
    filled[written] = True
    return contours, OrganContours(
        organ=spec.organ,
        contours=len(contours),
        points=sum(len(contour.points_lps) for contour in contours),
        slices=tuple(written),
        gaps=gaps(filled),
        interpolated=interpolated,
        islands=islands,
        rings_dropped=len(tally.specks),
        area_dropped_mm2=tally.area_dropped_mm2,
        rings_unsimplified=tally.rings_unsimplified,
        coarsest_mm=tally.coarsest_mm,
        refused=refused,
        field=kept if kept is not field else None,
    )


def _traced(field: ProbabilityField, grid: Grid, planes: SlicePlanes) -> Rings:
    """Rings of a field in the index space of the grid."""
    rounding = tuple(CLEARANCE_STEPS * planes.step_mm / spacing for spacing in grid.spacing_yx)
    row, column = (min(0.25, max(CLEARANCE_PIXELS, part)) for part in rounding)
    rings = trace_rings(field.values, field.threshold, (row, column))
    z, y, x = field.offset
    moved = rings.points + np.array((y, x))
    return replace(rings, points=moved, slices=rings.slices + z)


def _contours(regions: list[Region], source: Source, holes: HoleStyle) -> tuple[Contour, ...]:
    """Contours of an organ: CLOSED_PLANAR throughout, or XOR throughout where it has a hole."""
    uids = source.sop_instance_uids
    xor = holes is HoleStyle.XOR and any(len(region.rings) > 1 for region in regions)
    if xor:
        return tuple(
            Contour(ring, uids[region.slice_index], GeometricType.XOR)
            for region in regions
            for ring in region.rings
        )
    return tuple(Contour(region.joined(), uids[region.slice_index]) for region in regions)


def _roi(
    spec: RoiSpec,
    segmentation: Segmentation,
    contours: tuple[Contour, ...],
    study_flags: Sequence[Flag],
) -> Roi:
    return Roi(
        number=0,
        name=spec.name,
        contours=contours,
        organ=spec.organ,
        colour=spec.colour,
        description=roi_description(segmentation, study_flags, contoured=bool(contours)),
        interpreted_type=spec.interpreted_type,
        code=spec.code,
        model=segmentation.model,
    )


def check_names(specs: Iterable[RoiSpec]) -> None:
    """Raise ValueError where two ROI names are the same but for case."""
    seen: dict[str, str] = {}
    for spec in specs:
        other = seen.setdefault(spec.name.lower(), spec.organ)
        if other != spec.organ:
            raise ValueError(f"{other} and {spec.organ} would both be named {spec.name!r}")


def _check_label(label: str) -> None:
    if not label.isascii() or not label.isprintable() or "\\" in label:
        raise ValueError(f"label {label!r} must be plain ASCII without backslash")
    if not 0 < len(label.strip()) == len(label) <= MAX_LABEL_LENGTH:
        raise ValueError(f"label {label!r} must have 1 to {MAX_LABEL_LENGTH} characters")
