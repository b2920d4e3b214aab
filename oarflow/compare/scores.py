"""The score of a contour: all figures of a mask compared with its reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oarflow.compare.added_path import added_path_length
from oarflow.compare.overlap import dice, overlap, require_alike, within_slices
from oarflow.compare.surfaces import surface_distances
from oarflow.masks import bounding_box, volume_cc
from oarflow.types import Mask, Spacing

TOLERANCE_MM = 2.0
"""Default tolerance in mm of the surface Dice and the added path length."""

_MARGIN = 1
"""Margin in voxels around both masks when they are cropped: outlines need their neighbours."""


@dataclass(frozen=True)
class Score:
    """One organ of one case that has a reference. Lengths in mm, volumes in cc.

    dsc_within: on the slices from the reference's first to its last. For an empty mask dsc is 0 and
    hd95_mm inf.
    """

    case: str
    organ: str
    dsc: float
    hd95_mm: float
    iou: float
    precision: float
    recall: float
    hd_mm: float
    mean_distance_mm: float
    surface_dice: float
    added_path_mm: float
    volume_cc: float
    reference_cc: float
    dsc_within: float

    @property
    def empty(self) -> bool:
        """Whether nothing was contoured."""
        return self.volume_cc == 0

    @property
    def volume_error(self) -> float:
        """Relative difference of the volume from the reference's."""
        return self.volume_cc / self.reference_cc - 1


def score(
    case: str,
    organ: str,
    mask: Mask,
    reference: Mask,
    spacing_zyx: Spacing,
    *,
    tolerance_mm: float = TOLERANCE_MM,
) -> Score:
    """Measure a mask against a reference, bool (z, y, x) on one grid of even spacing in mm.

    Raises ValueError where they differ in shape or type, or the reference is empty.
    """
    require_alike(mask, reference)
    if not reference.any():
        raise ValueError(f"{case}: the reference of {organ} is empty")
    box = bounding_box(mask | reference, (_MARGIN,) * 3)
    mask, reference = mask[box], reference[box]
    shared = overlap(mask, reference)
    distances = surface_distances(mask, reference, spacing_zyx)
    return Score(
        case=case,
        organ=organ,
        dsc=shared.dice,
        hd95_mm=distances.hausdorff(95),
        iou=shared.iou,
        precision=shared.precision,
        recall=shared.recall,
        hd_mm=distances.hausdorff(),
        mean_distance_mm=distances.mean(),
        surface_dice=distances.surface_dice(tolerance_mm),
        added_path_mm=added_path_length(mask, reference, spacing_zyx, tolerance_mm),
        volume_cc=volume_cc(mask, spacing_zyx),
        reference_cc=volume_cc(reference, spacing_zyx),
        dsc_within=dice(*within_slices(mask, reference)),
    )


def finite(values: Iterable[float]) -> list[float]:
    """The finite values: distances of empty masks are infinite."""
    return [value for value in values if math.isfinite(value)]


def by_organ(scores: Sequence[Score], order: Sequence[str] = ()) -> dict[str, list[Score]]:
    """Scores by organ, in the given order, then by name."""
    place = {organ: k for k, organ in enumerate(order)}
    organs = sorted(
        {one.organ for one in scores}, key=lambda organ: (place.get(organ, len(place)), organ)
    )
    return {organ: [one for one in scores if one.organ == organ] for organ in organs}
