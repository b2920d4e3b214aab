"""Matches returned regions with delivered organs.

A planning system may rename, renumber and split regions, so that a name is not sufficient. The
overlap of the regions decides first; ROI number, code and name support the decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from scipy.optimize import linear_sum_assignment

from oarflow.geometry import Grid
from oarflow.masks import common_part, dice_of_sizes
from oarflow.organs import Catalogue, normalised
from oarflow.rtstruct.model import GeometricType, Roi, StructureSet
from oarflow.rtstruct.raster import RoiMask, rasterise_roi

SAME_PLACE = 0.5
"""Least Dice at which a region matches a delivered one regardless of name and number."""

SAME_PLACE_OTHER_ORGAN = 0.8
"""The same for a region with the name of another organ: a canal is not a renamed cord."""

SOME_PLACE = 0.1
"""Least Dice at which a region with the same ROI number or code matches. Below it two regions are
unrelated."""

PART_INSIDE = 0.8
"""Least share of a split organ's part that lies in the delivered contour."""

PART_SHARED = 0.1
"""Greatest share of a part that lies in another part."""

NEAR_MM = 10.0
"""Greatest distance (mm) of a region with the same ROI number that may be a moved organ."""

NAME_BONUS, NUMBER_BONUS, CODE_BONUS = 0.3, 0.2, 0.2
"""Weights of an equal name, ROI number and code, added to Dice."""

NOT_ORGANS = frozenset(
    {"GTV", "CTV", "PTV", "EXTERNAL", "BOLUS", "SUPPORT", "FIXATION", "MARKER", "ISOCENTER"}
    | {"TREATED_VOLUME", "IRRAD_VOLUME", "DOSE_REGION", "REGISTRATION", "CONTRAST_AGENT"}
)
"""RT ROI interpreted types that no delivered organ has."""

_TARGET_NAME = re.compile(r"^[gcpi]tv", re.IGNORECASE)

CodeKey = tuple[str, str, str]
"""Code value, coding scheme, and the modifier's value or ""."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A delivered organ and its returned region.

    before: None for an organ that was added. after: all contours of a split organ together; None
    for a deleted organ. names: of the returned regions. renamed: whether a name has changed.
    """

    organ: str
    before: Roi | None
    after: Roi | None
    names: tuple[str, ...] = ()

    @property
    def renamed(self) -> bool:
        return self.before is not None and self.names not in ((), (self.before.name,))


@dataclass(frozen=True, eq=False)
class Matching:
    """pairs: delivered organs in their order, then added ones.

    not_matched: delivered organs that either were deleted or are one of the returned regions.
    others: names of returned regions that are neither delivered nor known organs.
    """

    pairs: tuple[Pair, ...]
    not_matched: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _NamedRegion:
    """A region with its identifying facts. organ: from its name; None for an unknown name."""

    roi: Roi
    mask: RoiMask
    organ: str | None
    code: CodeKey | None

    @property
    def size(self) -> int:
        return int(self.mask.values.sum())

    @property
    def may_be_an_organ(self) -> bool:
        """Whether it may be a delivered organ, under any name."""
        target = _TARGET_NAME.match(self.roi.name.strip())
        return self.roi.interpreted_type.upper() not in NOT_ORGANS and not target


def match(
    before: StructureSet,
    after: StructureSet,
    grid: Grid,
    catalogue: Catalogue,
    codes: tuple[Mapping[int, CodeKey], Mapping[int, CodeKey]] = ({}, {}),
) -> Matching:
    """Pair the delivered regions with the returned ones.

    codes: by ROI number, of the delivered and of the returned regions (`roi_codes`).
    """
    ours = [_region(roi, grid, catalogue, codes[0]) for roi in before.rois]
    theirs = [_region(roi, grid, catalogue, codes[1]) for roi in after.rois if _closed(roi)]
    found = _assigned(ours, theirs)
    left = [region for k, region in enumerate(theirs) if k not in found.values()]
    pairs, not_matched = [], []
    for k, region in enumerate(ours):
        main = [theirs[found[k]]] if k in found else []
        parts = [*main, *_parts(region, main, left)]
        left = [other for other in left if other not in parts]
        names = tuple(part.roi.name for part in parts)
        organ = region.organ or region.roi.name
        if not parts and any(_might_be(region, other, grid) for other in left):
            not_matched.append(organ)
        else:
            pairs.append(Pair(organ, region.roi, _together(parts), names))
    delivered = {pair.organ for pair in pairs} | set(not_matched)
    added: dict[str, Pair] = {}
    for region in left:
        if region.organ is not None and region.organ not in delivered:
            added.setdefault(region.organ, Pair(region.organ, None, region.roi, (region.roi.name,)))
    taken = [pair.after for pair in added.values()]
    others = tuple(region.roi.name for region in left if region.roi not in taken)
    return Matching((*pairs, *added.values()), tuple(not_matched), others)


def roi_codes(path: Path) -> dict[int, CodeKey]:
    """The identification code of each region of an RTSTRUCT, by ROI number."""
    dataset = pydicom.dcmread(path, specific_tags=["RTROIObservationsSequence"])
    found = {}
    for item in dataset.get("RTROIObservationsSequence") or ():
        sequence = item.get("RTROIIdentificationCodeSequence")
        number = item.get("ReferencedROINumber")
        if sequence and number is not None:
            found[int(number)] = _code(sequence[0])
    return found


def _code(item: Dataset) -> CodeKey:
    modifiers = item.get("SegmentedPropertyTypeModifierCodeSequence")
    modifier = str(modifiers[0].get("CodeValue", "")) if modifiers else ""
    return str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", "")), modifier


def _region(
    roi: Roi, grid: Grid, catalogue: Catalogue, codes: Mapping[int, CodeKey]
) -> _NamedRegion:
    organ = catalogue.resolve(roi.name)
    mask = rasterise_roi(roi, grid, off_slice="nearest")
    return _NamedRegion(roi, mask, organ.name if organ else None, codes.get(roi.number))


def _closed(roi: Roi) -> bool:
    return any(c.type in (GeometricType.CLOSED_PLANAR, GeometricType.XOR) for c in roi.contours)


def _assigned(ours: Sequence[_NamedRegion], theirs: Sequence[_NamedRegion]) -> dict[int, int]:
    """Indices of returned regions by index of the delivered ones, in the best of all pairings."""
    if not ours or not theirs:
        return {}
    scores = np.array([[_score(one, other) for other in theirs] for one in ours])
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if scores[row, column] > 0
    }


def _score(one: _NamedRegion, other: _NamedRegion) -> float:
    """The score of a pairing of a delivered and a returned region; 0 for different organs."""
    dice = _dice(one, other)
    name, number, code = _same_name(one, other), _same_number(one, other), _same_code(one, other)
    if not name:
        if not other.may_be_an_organ:
            return 0.0
        another = other.organ is not None and other.organ != one.organ
        least = SAME_PLACE_OTHER_ORGAN if another and not number else SAME_PLACE
        if (number or code) and not another:
            least = SOME_PLACE
        if dice < least:
            return 0.0
    return dice + NAME_BONUS * name + NUMBER_BONUS * number + CODE_BONUS * code


def _same_name(one: _NamedRegion, other: _NamedRegion) -> bool:
    if one.organ is not None and one.organ == other.organ:
        return True
    return normalised(one.roi.name) == normalised(other.roi.name)


def _same_number(one: _NamedRegion, other: _NamedRegion) -> bool:
    return one.roi.number == other.roi.number


def _same_code(one: _NamedRegion, other: _NamedRegion) -> bool:
    return one.code is not None and one.code == other.code


def _might_be(one: _NamedRegion, other: _NamedRegion, grid: Grid) -> bool:
    """Whether a region with an unknown name may be the rest of a delivered organ."""
    if other.organ is not None or not other.may_be_an_organ:
        return False
    near = _same_number(one, other) and _apart_mm(one, other, grid) <= NEAR_MM
    return near or _same_code(one, other) or _dice(one, other) >= SOME_PLACE


def _apart_mm(one: _NamedRegion, other: _NamedRegion, grid: Grid) -> float:
    """The widest gap in mm between both regions' boxes along an axis; 0 where they overlap."""
    low = np.maximum(one.mask.offset, other.mask.offset)
    ends = [np.add(region.mask.offset, region.mask.values.shape) for region in (one, other)]
    return float(np.max(np.maximum(low - np.minimum(*ends), 0) * grid.spacing_zyx))


def _parts(
    one: _NamedRegion, main: Sequence[_NamedRegion], left: Iterable[_NamedRegion]
) -> list[_NamedRegion]:
    """Further regions that are parts of a split organ.

    They lie in the delivered contour, do not overlap each other, and have no other organ's name. If
    a region kept the delivered name, its parts must be named after it: a tumour that was cut out of
    an organ is not a part of it.
    """
    parts: list[_NamedRegion] = []
    kept = any(_same_name(one, region) for region in main)
    stem = normalised(one.roi.name)
    for other in sorted(left, key=lambda region: -region.size):
        if not other.may_be_an_organ or other.organ not in (None, one.organ) or not other.size:
            continue
        if kept and stem not in normalised(other.roi.name):
            continue
        inside = _shared(one, other) / other.size >= PART_INSIDE
        apart = all(
            _shared(part, other) <= PART_SHARED * min(part.size, other.size)
            for part in (*main, *parts)
        )
        if inside and apart:
            parts.append(other)
    whole = sum(_shared(one, part) for part in (*main, *parts))
    return parts if whole >= SAME_PLACE * one.size else []


def _together(parts: Sequence[_NamedRegion]) -> Roi | None:
    if not parts:
        return None
    contours = tuple(contour for part in parts for contour in part.roi.contours)
    return replace(parts[0].roi, contours=contours)


def _dice(one: _NamedRegion, other: _NamedRegion) -> float:
    return dice_of_sizes(_shared(one, other), one.size, other.size) if one.size else 0.0


def _shared(one: _NamedRegion, other: _NamedRegion) -> int:
    """The number of voxels in both."""
    both = common_part(one.mask.box, other.mask.box)
    if both is None:
        return 0
    mine, theirs = both
    return int((one.mask.values[mine] & other.mask.values[theirs]).sum())
