"""What a reference contour says of itself: its size and place, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from datasets.cases import Case, Mask
from oarflow.metrics import volume_cc
from oarflow.organs import Catalogue

OUTSIDE_SHARE = 0.05
"""A reference with more than this share of its voxels where no CT was published is suspicious."""

AIR_HU = -400.0
"""A reference with a mean below this is suspicious: the airway was drawn. (A larynx with its lumen
has about -250.)"""

AIR_FILLED = frozenset(
    {"Lung_L", "Lung_R", "Lungs", "Trachea", "Canal_Aud_Ext_L", "Canal_Aud_Ext_R"}
)
"""Organs that are mostly air."""


@dataclass(frozen=True)
class Label:
    """One contour of one case.

    slices: those with a voxel. empty_slices: without one between the first and the last.
    cut: whether it reaches the scan's first or last slice. x_mm: its centre, toward the left.
    doubt: what speaks against it, in words, or "".
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

    empty: organs whose contour holds no voxel.
    """

    case: str
    shape: tuple[int, int, int]
    spacing_zyx: tuple[float, float, float]
    mr: bool
    labels: tuple[Label, ...]
    empty: tuple[str, ...]
    unmapped: tuple[str, ...]


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
    z, y, x = case.ct.shape
    return CaseFacts(
        case.id,
        (z, y, x),
        case.spacing_zyx,
        case.read_mr is not None,
        _sided(labels, catalogue),
        tuple(empty),
        case.unmapped,
    )


def doubt(case: Case, organ: str, mask: Mask, catalogue: Catalogue) -> str:
    """What speaks against a reference, in words; empty where nothing does."""
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
    if mean_hu < AIR_HU and organ not in AIR_FILLED:
        reasons.append(f"mean of {mean_hu:.0f} HU")
    return "; ".join(reasons)


def _label(case: Case, organ: str, mask: Mask, catalogue: Catalogue) -> Label:
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    columns = mask.sum(axis=(0, 1))
    centre = float(np.average(np.arange(len(columns)), weights=columns))
    empty_slices = int(planes[-1] - planes[0] + 1 - len(planes))
    reasons = [reason for reason in (doubt(case, organ, mask, catalogue),) if reason]
    if empty_slices:
        reasons.append(f"{empty_slices} slices without contour in its middle")
    return Label(
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


def _sided(labels: list[Label], catalogue: Catalogue) -> tuple[Label, ...]:
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
    return tuple(found)
