"""Facts of a reference contour: size, place, and what makes it suspicious."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from oarflow.datasets.cases import Case
from oarflow.masks import volume_cc
from oarflow.organs import Catalogue
from oarflow.types import Mask

OUTSIDE_SHARE = 0.05
"""A reference with more than this share of its voxels where no CT was published is suspicious."""

AIR_HU = -400.0
"""A reference with a mean below this is suspicious: the airway was drawn. (A larynx with its lumen
has about -250.)"""

AIR_FILLED = frozenset(
    {"Lung_L", "Lung_R", "Lungs", "Trachea", "Canal_Aud_Ext_L", "Canal_Aud_Ext_R"}
)
"""Organs that are mostly air."""

BONE_HU = 120.0
"""A reference with a mean above this is suspicious: bone was drawn. (Of 789 references of OpenKBP's
training patients without bone none has more than 95.)"""

BRIGHT = re.compile(r"Bone_|Mandible_|Cochlea_|A_Carotid_|Glnd_Thyroid")
"""Organs of bone, within bone, or bright with contrast medium."""

DISPLACED = 3
"""If so many references, and more than half of a patient's, are suspicious, all of them are."""

DOUBTS = (
    "its volume is implausible, if it lies outside the published CT, in air or in bone, or if most "
    "references of the patient are suspicious"
)
"""When a reference is suspicious, for the pages with tables without such references."""


@dataclass(frozen=True)
class ContourFacts:
    """One contour of one case.

    slices: those with a voxel. empty_slices: without one between the first and the last.
    cut: whether it reaches the scan's first or last slice. x_mm: its centre, toward the left.
    doubt: what makes it suspicious, in words, or "".
    """

    case: str
    organ: str
    slices: int
    empty_slices: int
    volume_cc: float
    mean_hu: float
    cut: bool
    x_mm: float
    doubt: str


@dataclass(frozen=True)
class CaseFacts:
    """One case without its voxels. shape and spacing_zyx: (z, y, x), mm. mr: whether it has one.

    empty: organs whose contour holds no voxel. remarks: as the case has them.
    """

    case: str
    shape: tuple[int, int, int]
    spacing_zyx: tuple[float, float, float]
    mr: bool
    labels: tuple[ContourFacts, ...]
    empty: tuple[str, ...]
    unmapped: tuple[str, ...]
    remarks: tuple[tuple[str, str], ...] = ()


def facts(case: Case, catalogue: Catalogue) -> CaseFacts:
    """Read every mask of a case once, one at a time."""
    labels = []
    empty = []
    for organ in case.masks:
        mask = case.masks[organ]
        if mask.any():
            labels.append(_label(case, organ, mask, catalogue))
        else:
            empty.append(organ)
    labels = _sided(labels, catalogue)
    said = _displaced({label.organ: label.doubt for label in labels})
    z, y, x = case.ct.shape
    return CaseFacts(
        case.id,
        (z, y, x),
        case.spacing_zyx,
        case.read_mr is not None,
        tuple(replace(label, doubt=said[label.organ]) for label in labels),
        tuple(empty),
        case.unmapped,
        tuple(case.remarks.items()),
    )


def doubts(case: Case, catalogue: Catalogue) -> dict[str, str]:
    """Why each reference of a case that holds a voxel is suspicious, in words, or "".

    If most of them are, the CT and its contours do not belong together, and all are suspicious.
    """
    masks = ((organ, case.masks[organ]) for organ in case.masks)
    return _displaced(
        {organ: _doubt(case, organ, mask, catalogue) for organ, mask in masks if mask.any()}
    )


def _displaced(found: Mapping[str, str]) -> dict[str, str]:
    count = sum(map(bool, found.values()))
    if count < DISPLACED or 2 * count <= len(found):
        return dict(found)
    words = f"{count} of the patient's {len(found)} contours are suspicious"
    return {organ: said or words for organ, said in found.items()}


def _doubt(case: Case, organ: str, mask: Mask, catalogue: Catalogue) -> str:
    reasons = []
    least, greatest = catalogue.organ(organ).volume_cc
    size = volume_cc(mask, case.spacing_zyx)
    if not least <= size <= greatest:
        reasons.append(f"{size:.1f} cc is outside {least:g} to {greatest:g} cc")
    if case.body is not None:
        outside = float(np.mean(~case.body[mask]))
        if outside > OUTSIDE_SHARE:
            reasons.append(f"{outside:.0%} lies where no CT was published")
    mean_hu = float(case.ct[mask].mean(dtype=np.float64))
    air = mean_hu < AIR_HU and organ not in AIR_FILLED
    bone = mean_hu > BONE_HU and not BRIGHT.match(organ)
    if air or bone:
        reasons.append(f"mean of {mean_hu:.0f} HU")
    return "; ".join(reasons)


def _label(case: Case, organ: str, mask: Mask, catalogue: Catalogue) -> ContourFacts:
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    columns = mask.sum(axis=(0, 1))
    centre = float(np.average(np.arange(len(columns)), weights=columns))
    empty_slices = int(planes[-1] - planes[0] + 1 - len(planes))
    reasons = [reason for reason in (_doubt(case, organ, mask, catalogue),) if reason]
    if empty_slices:
        reasons.append(f"{empty_slices} slices without contour in its middle")
    return ContourFacts(
        case=case.id,
        organ=organ,
        slices=len(planes),
        empty_slices=empty_slices,
        volume_cc=volume_cc(mask, case.spacing_zyx),
        mean_hu=float(case.ct[mask].mean(dtype=np.float64)),
        cut=bool(planes[0] == 0 or planes[-1] == len(mask) - 1),
        x_mm=case.origin_lps[0] + centre * case.spacing_zyx[2],
        doubt="; ".join(reasons),
    )


def _sided(labels: list[ContourFacts], catalogue: Catalogue) -> list[ContourFacts]:
    """The same labels, with a doubt where left lies to the right of right."""
    by_organ = {label.organ: label for label in labels}
    found = []
    for label in labels:
        organ = catalogue.organ(label.organ)
        other = by_organ.get(organ.partner) if organ.partner else None
        swapped = other is not None and (
            label.x_mm <= other.x_mm if organ.laterality == "L" else label.x_mm >= other.x_mm
        )
        if swapped:
            reasons = [reason for reason in (label.doubt, "left and right are swapped") if reason]
            found.append(replace(label, doubt="; ".join(reasons)))
        else:
            found.append(label)
    return found
