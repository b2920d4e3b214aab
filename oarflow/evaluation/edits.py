"""What a physicist changed: the delivered contours against the RTSTRUCT that came back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import shapely
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from oarflow.datasets.series import read_drawn_volume
from oarflow.evaluation.edits_matching import Matching, Pair, match, roi_codes
from oarflow.geometry import Grid
from oarflow.intake.scan import scan
from oarflow.metrics import added_path_length, overlap, surface_distances
from oarflow.organs import Catalogue
from oarflow.result import FILE_NAME, Input, ResultDocument
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.model import GeometricType, Roi
from oarflow.rtstruct.raster import RoiMask, rasterise_roi
from oarflow.rtstruct.reader import read_structure_set

TOUCHED_MM = 0.5
"""A slice counts as touched where its outline moved by more than this anywhere: what a planning
system does to contours on the way in and out stays below it."""

EVEN_MM = 0.01
"""Slice distances that differ by more are uneven: result.json does not tell each, the CT does."""

RECORD_SCHEMA = "oarflow-edits"


class Change(StrEnum):
    """What became of a delivered organ."""

    KEPT = "kept"
    EDITED = "edited"
    DELETED = "deleted"
    ADDED = "added"


@dataclass(frozen=True)
class OrganEdit:
    """One organ. Distances in mm, volumes in cm3.

    surface_dice: of both surfaces, within tolerance_mm of the record. added_path_mm: length of
    outline that had to be drawn anew. slices_touched: of slices that hold the organ before or
    after. network: what had drawn it; None for an organ that the physicist added.
    """

    organ: str
    change: Change
    network: str | None
    surface_dice: float
    dice: float
    hd95_mm: float | None
    added_path_mm: float
    volume_before_cc: float
    volume_after_cc: float
    slices_touched: int
    slices: int


@dataclass(frozen=True)
class EditRecord:
    """All organs of one structure set. started: of the run that made it, ISO 8601.

    left_out: names of the regions that came back on another frame of reference than the CT's.
    not_matched: delivered organs of which nobody can say whether they were deleted or came back
    under another name; they have no figures. matching: how the regions were paired, with the names
    that came back; it is not stored, since people name regions as they like.
    """

    rtstruct: str
    started: str
    tolerance_mm: float
    organs: tuple[OrganEdit, ...]
    left_out: tuple[str, ...] = ()
    not_matched: tuple[str, ...] = ()
    matching: Matching | None = field(default=None, compare=False)

    def as_json(self) -> str:
        """For the folder from which the history is drawn: nothing of the patient."""
        stored = {key: value for key, value in self.__dict__.items() if key != "matching"}
        stored["organs"] = [asdict(organ) for organ in self.organs]
        return json.dumps({"schema": RECORD_SCHEMA, **stored}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> EditRecord:
        """Raises ValueError where the file is no record."""
        try:
            stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if stored.pop("schema") != RECORD_SCHEMA:
                raise ValueError("another schema")
            organs = [{**organ, "change": Change(organ["change"])} for organ in stored["organs"]]
            edits = tuple(OrganEdit(**organ) for organ in organs)
            names = {key: tuple(stored.get(key, ())) for key in ("left_out", "not_matched")}
            return cls(**{**stored, "organs": edits, **names})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is no record of edits: {error}") from error


def compare(
    out: Path, edited: Path, catalogue: Catalogue, *, ct: Path | None = None, tolerance_mm: float
) -> EditRecord:
    """Compare a run's folder with the structure set that came back.

    edited: an RTSTRUCT, or a folder with one. ct: the CT's folder, needed only where its slices are
    unevenly spaced. Raises ValueError where the two do not belong together or something is missing,
    ReadError where an RTSTRUCT cannot be read.
    """
    result = ResultDocument.model_validate_json((out / FILE_NAME).read_bytes())
    delivered = next((part for part in result.outputs if part.kind == "RTSTRUCT"), None)
    if delivered is None or result.input is None:
        raise ValueError(f"{out} holds no delivered RTSTRUCT")
    paths = out / delivered.path, find_rtstruct(edited)
    before, returned = (read_structure_set(path) for path in paths)
    grid = read_drawn_volume(scan(ct), (before,)).volume.grid if ct else grid_of(result.input)
    after, elsewhere = on_frame(returned, result.input.frame_of_reference_uid)
    if elsewhere and not any(roi.contours for roi in after.rois):
        raise ValueError(f"{edited} is on another frame of reference than {out}")
    networks = {
        part.name: f"{part.model.name} {part.model.version}" for part in result.organs if part.model
    }
    codes = (roi_codes(paths[0]), roi_codes(paths[1]))
    found = match(before, after, grid, catalogue, codes)
    unknown = _organs(elsewhere, catalogue)
    return EditRecord(
        rtstruct=str(delivered.sop_instance_uid),
        started=result.run.started,
        tolerance_mm=tolerance_mm,
        organs=tuple(
            _organ_edit(pair, grid, networks.get(pair.organ), tolerance_mm)
            for pair in found.pairs
            if pair.after is not None or pair.organ not in unknown
        ),
        left_out=elsewhere,
        not_matched=tuple(organ for organ in found.not_matched if organ not in unknown),
        matching=found,
    )


def grid_of(found: Input) -> Grid:
    """The CT's grid from result.json. Raises ValueError where its slices are unevenly spaced."""
    gaps = found.slice_gaps_mm
    if gaps is not None and gaps[1] - gaps[0] > EVEN_MM:
        raise ValueError("the slices are unevenly spaced: give the CT's folder too (--ct)")
    x, y = (np.asarray(direction, dtype=np.float64) for direction in found.orientation)
    steps = np.arange(found.slices)[:, None] * found.spacing_mm[0]
    positions = np.asarray(found.origin_mm) + steps * np.cross(x, y)
    shape = (found.slices, found.rows, found.columns)
    return Grid(positions, x, y, (found.spacing_mm[1], found.spacing_mm[2]), shape)


def find_rtstruct(path: Path) -> Path:
    """The file, or the only RTSTRUCT in a folder. Raises ValueError."""
    if path.is_file():
        return path
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_rtstruct(file)]
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} RTSTRUCT files, not one")
    return found[0]


def markdown(record: EditRecord) -> str:
    """The table that people read."""
    head = (
        "| organ | change | surface Dice | Dice | HD95 | added path | volume before | after | "
        "change | slices touched |"
    )
    lines = [head, "|" + " --- |" * (head.count("|") - 1)]
    for edit in record.organs:
        both = edit.volume_before_cc > 0 and edit.volume_after_cc > 0
        growth = f"{edit.volume_after_cc / edit.volume_before_cc - 1:+.0%}" if both else "-"
        hd95 = f"{edit.hd95_mm:.1f} mm" if edit.hd95_mm is not None else "-"
        lines.append(
            f"| {edit.organ} | {edit.change} | {edit.surface_dice:.3f} | {edit.dice:.3f} | {hd95} "
            f"| {edit.added_path_mm:.0f} mm | {edit.volume_before_cc:.1f} cc | "
            f"{edit.volume_after_cc:.1f} cc | {growth} | {edit.slices_touched} of {edit.slices} |"
        )
    return (
        f"# What was changed\n\nContours of {record.started}; surface Dice within "
        f"{record.tolerance_mm:g} mm; a slice is touched where its outline moved by more than "
        f"{TOUCHED_MM:g} mm.\n\n" + "\n".join((*lines, *_listed(record))) + "\n"
    ) + "".join(f"\n{name}: {OTHER_FRAME}.\n" for name in record.left_out)


def _listed(record: EditRecord) -> list[str]:
    """What was renamed, added, deleted or not matched, a line each where there is any."""
    pairs = record.matching.pairs if record.matching else ()
    others = record.matching.others if record.matching else ()
    by_change = {
        change: [edit.organ for edit in record.organs if edit.change is change]
        for change in (Change.ADDED, Change.DELETED)
    }
    renamed = [
        f"{pair.organ} came back as {', '.join(pair.names)}" for pair in pairs if pair.renamed
    ]
    listed = {
        "Renamed": renamed,
        "Added": by_change[Change.ADDED],
        "Deleted": by_change[Change.DELETED],
        "Not matched (deleted, or one of the other regions; no figures)": record.not_matched,
        "Other regions that came back": others,
    }
    lines = [f"- {name}: {'; '.join(some)}" for name, some in listed.items() if some]
    return ["", *lines] if lines else []


def _is_rtstruct(path: Path) -> bool:
    try:
        header = pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return False
    return bool(header.get("SOPClassUID") == RTStructureSetStorage)


def _organs(names: Sequence[str], catalogue: Catalogue) -> frozenset[str]:
    found = ((name, catalogue.resolve(name)) for name in names)
    return frozenset(organ.name if organ else name for name, organ in found)


def _organ_edit(pair: Pair, grid: Grid, network: str | None, tolerance_mm: float) -> OrganEdit:
    both = pair.before, pair.after
    outlines = [_outlines(roi, grid) for roi in both]
    slices = sorted(outlines[0].keys() | outlines[1].keys())
    touched = sum(_moved(outlines[0].get(k), outlines[1].get(k)) for k in slices)
    before, after = _masks(both, grid)
    distances = surface_distances(before, after, grid.spacing_zyx)
    hd95 = distances.hausdorff(95)
    counts = overlap(before, after)
    voxel_cc = float(np.prod(grid.spacing_zyx)) / 1000
    return OrganEdit(
        organ=pair.organ,
        change=_change(counts.mask > 0, counts.reference > 0, touched),
        network=network if pair.before else None,
        surface_dice=distances.surface_dice(tolerance_mm),
        dice=counts.dice,
        hd95_mm=hd95 if np.isfinite(hd95) else None,
        added_path_mm=added_path_length(before, after, grid.spacing_zyx) if touched else 0.0,
        volume_before_cc=counts.mask * voxel_cc,
        volume_after_cc=counts.reference * voxel_cc,
        slices_touched=touched,
        slices=len(slices),
    )


def _change(before: bool, after: bool, touched: int) -> Change:
    if before and not after:
        return Change.DELETED
    if after and not before:
        return Change.ADDED
    return Change.EDITED if touched else Change.KEPT


def _outlines(roi: Roi | None, grid: Grid) -> Mapping[int, shapely.MultiLineString]:
    """Closed contours by slice, as lines in mm along rows and columns."""
    rings: dict[int, list[shapely.LineString]] = defaultdict(list)
    for contour in roi.contours if roi else ():
        closed = contour.type in (GeometricType.CLOSED_PLANAR, GeometricType.XOR)
        if closed and len(contour.points_lps) >= 3:
            axes = grid.patient_to_axes(contour.points_lps)
            k = int(np.argmin(np.abs(grid.offsets_mm - axes[:, 0].mean())))
            rings[k].append(shapely.LineString(np.vstack((axes, axes[:1]))[:, 1:]))
    return {k: shapely.MultiLineString(lines) for k, lines in rings.items()}


def _moved(before: shapely.MultiLineString | None, after: shapely.MultiLineString | None) -> bool:
    if before is None or after is None:
        return True
    return bool(before.hausdorff_distance(after) > TOUCHED_MM)


def _masks(
    pair: Sequence[Roi | None], grid: Grid
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Both regions on the part of the grid that holds them."""
    found = [rasterise_roi(roi, grid, off_slice="nearest") if roi else None for roi in pair]
    present = [mask for mask in found if mask is not None and mask.values.size]
    if not present:
        empty = np.zeros((1, 1, 1), dtype=np.bool_)
        return empty, empty
    low = np.min([mask.offset for mask in present], axis=0)
    high = np.max([np.add(mask.offset, mask.values.shape) for mask in present], axis=0)
    before, after = (_within(mask, low, high) for mask in found)
    return before, after


def _within(
    mask: RoiMask | None, low: Sequence[int], high: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    part = np.zeros(np.subtract(high, low), dtype=np.bool_)
    if mask is not None and mask.values.size:
        start = np.subtract(mask.offset, low)
        z, y, x = (slice(int(s), int(s) + n) for s, n in zip(start, mask.values.shape, strict=True))
        part[z, y, x] = mask.values
    return part
