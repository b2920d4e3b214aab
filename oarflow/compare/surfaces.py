"""Distances between the surfaces of two masks.

Tuning, evaluation and edits share one definition, that of google-deepmind's surface-distance 0.1
(Nikolov et al. 2018), and give the same figures. It is implemented here because the released
package calls functions that numpy 2 removed.

A mask is bool (z, y, x). Its *surface* consists of voxel corners: a corner is on the surface if the
eight voxels around it are neither all inside nor all outside (all is outside beyond the array).
Each such corner has a *surface element*: the area, in mm2, of the marching cubes triangles in the
cell of these eight voxel centres. A distance is that from a corner to the nearest corner of the
other surface, in mm, weighted by its element's area.

For two empty masks surface Dice is 1 and distances are 0. If one mask is empty, surface Dice is 0
and distances are inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.compare.cells import ALL_INSIDE, WEIGHTS, cell_areas
from oarflow.compare.overlap import require_alike, share
from oarflow.masks import bounding_box
from oarflow.types import FloatArray, Mask, Spacing

_ROUNDING = 1e-9
"""Tolerance of a cumulated area below a percentile, as a share of the whole area."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between two surfaces, in mm, each with its surface element's area in mm2.

    mask_mm, mask_mm2: (n,) from each element of the mask's surface to the reference's, ascending.
    reference_mm, reference_mm2: (m,) the reverse. inf where the other surface is empty.
    """

    mask_mm: FloatArray
    mask_mm2: FloatArray
    reference_mm: FloatArray
    reference_mm2: FloatArray

    def hausdorff(self, percent: float = 100.0) -> float:
        """Larger of both sides' distances below which `percent` of the area lies, in mm.

        100: the Hausdorff distance; 95: HD95. 0 where both surfaces are empty, inf where one is.
        """
        if not 0 < percent <= 100:
            raise ValueError(f"percent must be above 0 and at most 100, not {percent}")
        if not len(self.mask_mm) and not len(self.reference_mm):
            return 0.0
        return max(
            _percentile(self.mask_mm, self.mask_mm2, percent),
            _percentile(self.reference_mm, self.reference_mm2, percent),
        )

    def mean(self) -> float:
        """Mean of both sides' area-weighted mean distances, in mm; 0 or inf where empty."""
        if not len(self.mask_mm) and not len(self.reference_mm):
            return 0.0
        if not len(self.mask_mm) or not len(self.reference_mm):
            return float("inf")
        one = float(np.average(self.mask_mm, weights=self.mask_mm2))
        other = float(np.average(self.reference_mm, weights=self.reference_mm2))
        return (one + other) / 2

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces' area that lies within the tolerance of the other one."""
        near = float(self.mask_mm2[self.mask_mm <= tolerance_mm].sum())
        near += float(self.reference_mm2[self.reference_mm <= tolerance_mm].sum())
        return share(near, float(self.mask_mm2.sum()) + float(self.reference_mm2.sum()))


def surface_distances(mask: Mask, reference: Mask, spacing_zyx: Spacing) -> SurfaceDistances:
    """Distances between the surfaces of two masks on a grid of even spacing (z, y, x) in mm.

    Raises ValueError where the masks are not bool (z, y, x), differ in shape, or the spacing is
    not positive.
    """
    require_alike(mask, reference)
    if mask.ndim != 3 or len(spacing_zyx) != 3 or not min(spacing_zyx) > 0:
        raise ValueError(f"masks {mask.shape} and spacing {spacing_zyx} must be (z, y, x)")
    either = mask | reference
    box = bounding_box(either) if either.any() else (slice(0, 0),) * 3
    areas = cell_areas(tuple(float(mm) for mm in spacing_zyx))
    codes = _codes(mask[box]), _codes(reference[box])
    surfaces = tuple((code > 0) & (code < ALL_INSIDE) for code in codes)
    maps = tuple(_distance_map(surface, spacing_zyx) for surface in surfaces)
    return SurfaceDistances(
        *_ascending(maps[1][surfaces[0]], areas[codes[0][surfaces[0]]]),
        *_ascending(maps[0][surfaces[1]], areas[codes[1][surfaces[1]]]),
    )


def _codes(mask: Mask) -> NDArray[np.int64]:
    """For each voxel corner which of its eight voxels are inside, as the bits of 0 to 255."""
    padded = np.pad(mask, 1).astype(np.int64)
    z, y, x = (size - 1 for size in padded.shape)
    total = np.zeros((z, y, x), dtype=np.int64)
    for (i, j, k), weight in np.ndenumerate(WEIGHTS):
        total += weight * padded[i : i + z, j : j + y, k : k + x]
    return total


def _distance_map(surface: Mask, spacing_zyx: Spacing) -> FloatArray:
    if not surface.any():
        return np.full(surface.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~surface, sampling=spacing_zyx))


def _ascending(distances: FloatArray, areas: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.lexsort((areas, distances))
    return distances[order], areas[order]


def _percentile(distances: FloatArray, areas: FloatArray, percent: float) -> float:
    if not len(distances):
        return float("inf")
    reached = np.cumsum(areas) / areas.sum()
    place = int(np.searchsorted(reached, percent / 100 - _ROUNDING))
    return float(distances[min(place, len(distances) - 1)])
