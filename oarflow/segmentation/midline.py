"""Left and right parts of a label that holds both organs of a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.structures import Localization, ProbabilityField
from oarflow.types import FloatArray
from oarflow.volume import Volume

MIDLINE_ORGANS = ("Brainstem", "SpinalCord", "SpinalCanal", "Larynx", "Esophagus", "Bone_Mandible")
"""Organs whose centre lies between the patient's left and right half."""

ONE_SIDE_SHARE = 0.8
"""A component with this share of its voxels on one side belongs to that side as a whole."""

BODY_HU = -300.0
"""Voxels above this HU belong to the patient, where no organ of the midline is in the CT."""

HALO = 3
"""Voxels around a component that go to its side."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def middle_mm(volume: Volume, localizations: Mapping[str, Localization]) -> float:
    """x of the patient's middle in patient space (LPS), in mm."""
    centres = [
        found.centroid_lps[0]
        for organ in MIDLINE_ORGANS
        if (found := localizations.get(organ)) and found.present and found.centroid_lps
    ]
    if centres:
        return float(np.median(centres))
    body = np.argwhere(volume.hu[::4, ::4, ::4] > BODY_HU)
    index = 4 * body.mean(axis=0) if len(body) else (np.array(volume.grid.shape) - 1) / 2
    return float(volume.grid.index_to_patient(index)[0])


def on_side(
    field: ProbabilityField, grid: Grid, side: Literal["left", "right"], middle: float
) -> ProbabilityField:
    """The part of a field on one side. middle: x in patient space (LPS), in mm.

    A component that lies mostly on one side stays whole; any other is cut in the middle.
    """
    wanted = _x_lps(field, grid) > middle
    if side == "right":
        wanted = ~wanted
    wanted = np.array(wanted)
    labels, count = ndimage.label(field.mask, _NEIGHBOURS)
    shares = ndimage.mean(wanted, labels, np.arange(1, count + 1)) if count else np.zeros(0)
    for number, share in enumerate(shares, start=1):
        if 1 - ONE_SIDE_SHARE < share < ONE_SIDE_SHARE:
            continue
        around = ndimage.binary_dilation(labels == number, _NEIGHBOURS, iterations=HALO)
        around &= (labels == 0) | (labels == number)
        wanted[around] = share > 0.5
    values = np.where(wanted, field.values, np.float32(0))
    return replace(field, values=values)


def _x_lps(field: ProbabilityField, grid: Grid) -> FloatArray:
    """(z, y, x) patient x of every voxel of a field, in mm."""
    z, y, x = (
        grid.axis_mm(axis)[part].reshape([-1 if axis == other else 1 for other in range(3)])
        for axis, part in enumerate(field.box)
    )
    return np.asarray(
        grid.positions_lps[0][0]
        + z * grid.normal[0]
        + y * grid.y_direction[0]
        + x * grid.x_direction[0]
    )
