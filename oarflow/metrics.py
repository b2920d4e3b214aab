"""How well a mask agrees with a reference: overlap, volume, surfaces, distances.

One definition for self-check, tuning and evaluation; that of google-deepmind's surface-distance
0.1 (Nikolov et al. 2018), with which the numbers agree. It is computed here because the released
package calls what numpy 2 removed, and because serving needs neither it nor what it brings along.

A mask is bool (z, y, x). Its *surface* lies on voxel corners: a corner is on it where the eight
voxels around it are neither all inside nor all outside (beyond the array all is outside). Each
such corner carries a *surface element*: the area, in mm2, that marching cubes cut through the
cell of these eight voxel centres at half height. Distances run from corner to nearest corner of
the other surface, in mm, and count by their element's area.

Empty masks: two empty masks agree (Dice, IoU, precision, recall, surface Dice 1, distances and
added path length 0). One empty mask agrees in nothing (Dice, IoU, surface Dice 0, distances inf);
precision is 0 where only the mask is empty and recall 0 where only the reference is; added path
length is then the whole outline of the reference, or 0 where the reference is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Spacing = tuple[float, float, float]

_WEIGHTS = np.array([128, 64, 32, 16, 8, 4, 2, 1]).reshape(2, 2, 2)
_ALL_INSIDE = 255
_ROUNDING = 1e-9
"""Cumulated areas that miss a percentile by less than this share of the whole reach it."""


@dataclass(frozen=True)
class Overlap:
    """Voxel counts of a mask and a reference: inside the mask, the reference, and both."""

    mask: int
    reference: int
    both: int

    @property
    def dice(self) -> float:
        return _share(2 * self.both, self.mask + self.reference)

    @property
    def iou(self) -> float:
        return _share(self.both, self.mask + self.reference - self.both)

    @property
    def precision(self) -> float:
        """Share of the mask that is in the reference."""
        return _share(self.both, self.mask) if self.mask else float(self.reference == 0)

    @property
    def recall(self) -> float:
        """Share of the reference that is in the mask."""
        return _share(self.both, self.reference) if self.reference else float(self.mask == 0)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between two surfaces, in mm, each with its surface element's area in mm2.

    mask_mm, mask_mm2: (n,) from each element of the mask's surface to the reference's, ascending.
    reference_mm, reference_mm2: (m,) the other way. inf where the other surface is empty.
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
        return _share(near, float(self.mask_mm2.sum()) + float(self.reference_mm2.sum()))


def overlap(mask: Mask, reference: Mask) -> Overlap:
    """Count voxels. Raises ValueError where the masks are not bool or differ in shape."""
    _check(mask, reference)
    return Overlap(
        int(np.count_nonzero(mask)),
        int(np.count_nonzero(reference)),
        int(np.count_nonzero(mask & reference)),
    )


def dice(mask: Mask, reference: Mask) -> float:
    """Dice coefficient, 0 to 1."""
    return overlap(mask, reference).dice


def volume_cc(mask: Mask, spacing_zyx: Spacing) -> float:
    """Volume in cm3 of a mask with voxels of that spacing in mm."""
    return float(np.count_nonzero(mask)) * float(np.prod(spacing_zyx)) / 1000


def surface_distances(mask: Mask, reference: Mask, spacing_zyx: Spacing) -> SurfaceDistances:
    """Distances between the surfaces of two masks on a grid of even spacing (z, y, x) in mm.

    Raises ValueError where the masks are not bool (z, y, x), differ in shape, or the spacing is
    not positive.
    """
    _check(mask, reference)
    if mask.ndim != 3 or len(spacing_zyx) != 3 or not min(spacing_zyx) > 0:
        raise ValueError(f"masks {mask.shape} and spacing {spacing_zyx} must be (z, y, x)")
    box = _box(mask | reference)
    areas = _areas(tuple(float(mm) for mm in spacing_zyx))
    codes = _codes(mask[box]), _codes(reference[box])
    surfaces = tuple((code > 0) & (code < _ALL_INSIDE) for code in codes)
    maps = tuple(_distance_map(surface, spacing_zyx) for surface in surfaces)
    return SurfaceDistances(
        *_ascending(maps[1][surfaces[0]], areas[codes[0][surfaces[0]]]),
        *_ascending(maps[0][surfaces[1]], areas[codes[1][surfaces[1]]]),
    )


def added_path_length(
    mask: Mask, reference: Mask, spacing_zyx: Spacing, tolerance_mm: float = 0.0
) -> float:
    """Length of outline, in mm, that a person must draw to turn the mask into the reference.

    Pixels of the reference's outline on each axial slice (inside, with a neighbour outside among
    the four) that are no pixel of the mask's outline there, nor within the tolerance of one; each
    counts as the mean of row and column distance (after Vaassen et al. 2020).
    """
    _check(mask, reference)
    pixel = (spacing_zyx[1] + spacing_zyx[2]) / 2
    added = 0
    for k in np.flatnonzero(reference.any(axis=(1, 2))):
        wanted, drawn = _outline(reference[k]), _outline(mask[k])
        if not drawn.any():
            added += int(np.count_nonzero(wanted))
            continue
        away = ndimage.distance_transform_edt(~drawn, sampling=spacing_zyx[1:])
        added += int(np.count_nonzero(wanted & (np.asarray(away) > tolerance_mm)))
    return added * pixel


def within_slices(mask: Mask, reference: Mask) -> tuple[Mask, Mask]:
    """Both masks on the slices from the reference's first to its last; empty where it is empty."""
    planes = np.flatnonzero(reference.any(axis=(1, 2)))
    kept = slice(int(planes[0]), int(planes[-1]) + 1) if len(planes) else slice(0, 0)
    return mask[kept], reference[kept]


def _share(part: float, whole: float) -> float:
    """Part of a whole; all of nothing is 1."""
    return float(part / whole) if whole else 1.0


def _check(mask: Mask, reference: Mask) -> None:
    if mask.dtype != np.bool_ or reference.dtype != np.bool_:
        raise ValueError(f"masks must be bool, not {mask.dtype} and {reference.dtype}")
    if mask.shape != reference.shape:
        raise ValueError(f"masks differ in shape: {mask.shape} and {reference.shape}")


def _box(mask: Mask) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))
    return found[0] if found else (slice(0, 0),) * mask.ndim


def _codes(mask: Mask) -> NDArray[np.int64]:
    """For each voxel corner which of its eight voxels are inside, as the bits of 0 to 255."""
    padded = np.pad(mask, 1).astype(np.int64)
    z, y, x = (size - 1 for size in padded.shape)
    total = np.zeros((z, y, x), dtype=np.int64)
    for (i, j, k), weight in np.ndenumerate(_WEIGHTS):
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


def _outline(plane: Mask) -> Mask:
    return np.asarray(plane & ~ndimage.binary_erosion(plane))


@lru_cache(maxsize=64)
def _areas(spacing_zyx: Spacing) -> FloatArray:
    """(256,) surface area in mm2 inside a cell, by the code of its corners.

    More than four corners inside are cut like their complement: a surface and its inverse are one.
    """
    from skimage import measure  # noqa: PLC0415  (serving measures no surfaces and lacks it)

    untyped: Any = measure
    areas = np.zeros(_ALL_INSIDE + 1)
    for code in range(1, _ALL_INSIDE):
        fewer = code if code.bit_count() <= 4 else _ALL_INSIDE - code
        cell = ((_WEIGHTS & fewer) > 0).astype(np.float32)
        points, faces, *_ = untyped.marching_cubes(cell, 0.5, method="lorensen")
        areas[code] = untyped.mesh_surface_area(points.astype(np.float64) * spacing_zyx, faces)
    return areas
