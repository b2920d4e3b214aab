"""Dose-volume figures: the dose inside a mask, its statistics and its cumulative histogram."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.types import FloatArray, Mask
from oarflow.volume import Image

EDGE_MM = 0.01
"""A point this far (mm) beyond the outermost dose voxels' centres counts as inside: rounding."""

HOT_SHARE = 0.02
"""Share of the volume whose least dose is D2%."""

DVH_STEP_GY = 0.5
DVH_GY = np.arange(0.0, 80.0 + DVH_STEP_GY, DVH_STEP_GY)
"""Doses at which volume histograms are read."""


@dataclass(frozen=True)
class DoseStatistics:
    """Dose inside the part of a contour that the dose grid covers, in Gy; nan where it covers none.

    d2_gy: the least dose of the hottest 2 % of the volume. covered: share of the contour's volume
    within the dose grid.
    """

    mean_gy: float
    max_gy: float
    d2_gy: float
    covered: float


STATISTICS: Mapping[str, str] = {"mean_gy": "Dmean", "max_gy": "Dmax", "d2_gy": "D2%"}
"""Names of the attributes in tables."""


def dose_inside(dose: Image, mask: Mask, grid: Grid) -> FloatArray:
    """(n,) dose in Gy at the centres of a mask's voxels, linear between dose voxels.

    It is nan outside the dose grid, where the dose is unknown. grid: of the mask.
    """
    if dose.grid is grid:
        return dose.voxels[mask].astype(np.float64)
    points = grid.index_to_patient(np.argwhere(mask))
    index = dose.grid.patient_to_index(points)
    last = np.array(dose.voxels.shape) - 1
    inside = np.clip(index, 0, last)
    near = np.abs(index - inside) * dose.grid.spacing_zyx <= EDGE_MM
    values = ndimage.map_coordinates(dose.voxels.astype(np.float64), inside.T, order=1)
    return np.where(near.all(axis=1), values, np.nan)


def statistics(dose_gy: FloatArray) -> DoseStatistics:
    """Statistics of the dose (n,) in a contour's voxels of equal size; nan outside the dose grid.

    Raises ValueError without a voxel.
    """
    if not len(dose_gy):
        raise ValueError("a contour without voxels has no dose")
    known = _known(dose_gy)
    if not len(known):
        return DoseStatistics(math.nan, math.nan, math.nan, 0.0)
    hottest = max(1, math.ceil(HOT_SHARE * len(known) - 1e-9))
    d2 = np.partition(known, len(known) - hottest)[len(known) - hottest]
    covered = len(known) / len(dose_gy)
    return DoseStatistics(float(known.mean()), float(known.max()), float(d2), covered)


def histogram(dose_gy: FloatArray) -> FloatArray:
    """Cumulative histogram: share of the covered voxels with at least each dose of `DVH_GY`.

    dose_gy: (n,). All nan where no voxel is covered.
    """
    ascending = np.sort(_known(dose_gy))
    if not len(ascending):
        return np.full(len(DVH_GY), math.nan)
    below = np.searchsorted(ascending, DVH_GY, side="left")
    return np.asarray(1 - below / len(ascending))


def _known(dose_gy: FloatArray) -> FloatArray:
    return dose_gy[~np.isnan(dose_gy)]
