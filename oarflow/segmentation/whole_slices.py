"""The part of a CT that a network of whole slices reads, where its organs cannot lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from oarflow.geometry import Grid
from oarflow.priors import load_priors
from oarflow.segmentation.patches import Bounds, whole_ct
from oarflow.structures import Localization
from oarflow.types import triple


@dataclass(frozen=True)
class Neighbour:
    """Where an organ lies beside another.

    organ: the other one. under_mm: the first one never lies so far under its lower end.
    """

    organ: str
    under_mm: float


NEIGHBOURS: Mapping[str, Neighbour] = {"Brain": Neighbour("Brainstem", 30.0)}
"""A brain ends at the foramen magnum, where the brainstem becomes the cord."""

MARGIN_MM = 24.0
"""Added in plane to the region that the neighbour predicts, for the air around a head."""


def bounds_mm(
    organs: Iterable[str], localizations: Mapping[str, Localization], grid: Grid
) -> Bounds:
    """The box along (z, y, x) that holds all the organs; the whole CT where one can lie anywhere.

    Only neighbours that the localizer itself saw count.
    """
    boxes = [_bounds(organ, localizations, grid) for organ in organs] or [whole_ct(grid)]
    z, y, x = (
        (min(box[axis][0] for box in boxes), max(box[axis][1] for box in boxes))
        for axis in range(3)
    )
    return z, y, x


def _bounds(organ: str, localizations: Mapping[str, Localization], grid: Grid) -> Bounds:
    z, y, x = whole = whole_ct(grid)
    neighbour = NEIGHBOURS.get(organ)
    found = localizations.get(neighbour.organ) if neighbour else None
    if neighbour is None or found is None or not found.present or found.by_neighbours:
        return whole
    if found.slices is not None:
        lowest = float(grid.offsets_mm[found.slices[0]]) - neighbour.under_mm
        z = (max(z[0], lowest), z[1])
    if found.centroid_lps is None or found.cut:
        return z, y, x
    place = triple(grid.patient_to_axes(np.asarray(found.centroid_lps)))
    region = load_priors().search_region(organ, {neighbour.organ: place})
    if region is None:
        return z, y, x
    reach = [half + MARGIN_MM for half in region.half_mm]
    y, x = (
        (
            max(whole[axis][0], region.centre_mm[axis] - reach[axis]),
            min(whole[axis][1], region.centre_mm[axis] + reach[axis]),
        )
        for axis in (1, 2)
    )
    return z, y, x
