"""From traced rings to clean outlines: simplified, rounded, tested, joined, within limits.

Outlines are first rounded to whole steps (usually a thousandth of a millimetre), so that all tests
apply to the coordinates that are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from oarflow.rtstruct.decimal_strings import format_ds
from oarflow.rtstruct.keyhole import keyhole
from oarflow.rtstruct.plane import SlicePlanes
from oarflow.rtstruct.specks import Speck
from oarflow.rtstruct.tracing import Rings

MIN_RING_AREA_MM2 = 0.1
"""Smallest area in mm2 of a written outline or hole: a disc of 0.36 mm. Some readers fail on
smaller ones, and no planning CT resolves them."""

COARSEST_TOLERANCE_MM = 0.5
"""Greatest simplification tolerance in mm to meet a limit of points or bytes."""

_TRIANGLE = 4
"""Number of coordinates of the smallest closed ring, with its first point repeated."""

Index = NDArray[np.intp]


class OutlineError(Exception):
    """A slice's outlines cannot be written correctly."""


@dataclass(frozen=True)
class OutlineLimits:
    """Limits of one contour: points (None: no limit) and bytes of text."""

    points: int | None
    text_bytes: int


@dataclass(frozen=True, eq=False)
class Region:
    """One 4-connected part of a slice.

    rings: the outer ring first, then its holes; each (n, 3) points (x, y, z) LPS in mm, rounded.
    """

    slice_index: int
    rings: tuple[NDArray[np.float64], ...]
    flat: tuple[NDArray[np.int64], ...]

    def joined(self) -> NDArray[np.float64]:
        """(n, 3) points of the region as one ring, holes joined by keyholes."""
        if len(self.rings) == 1:
            return self.rings[0]
        return np.asarray(np.concatenate(self.rings)[keyhole(self.flat)])


@dataclass
class Tally:
    """Counts of the changes to one organ's rings."""

    specks: list[Speck] = field(default_factory=list)
    area_dropped_mm2: float = 0.0
    rings_unsimplified: int = 0
    coarsest_mm: float = 0.0
    coarsened_slices: set[int] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class _RoundedOutline:
    """Rounded rings: `points` (n, 3) and `flat` (n, 2) concatenated, `ring` (n,) of each point."""

    points: NDArray[np.float64]
    flat: NDArray[np.int64]
    ring: Index

    def where(self, kept: NDArray[np.bool_] | Index) -> _RoundedOutline:
        return _RoundedOutline(self.points[kept], self.flat[kept], self.ring[kept])

    def neighbours(self) -> tuple[Index, Index]:
        """Index of the previous and next point of each point, within its ring."""
        count = len(self.ring)
        before, after = np.arange(-1, count - 1), np.arange(1, count + 1)
        first = np.flatnonzero(np.diff(self.ring, prepend=-1))
        last = np.append(first[1:], count)[: len(first)] - 1
        before[first], after[last] = last, first
        return before, after

    def areas(self, count: int) -> NDArray[np.float64]:
        """(count,) area of each ring in whole steps squared; 0 for rings without points."""
        _, after = self.neighbours()
        first = np.flatnonzero(np.diff(self.ring, prepend=-1))
        sizes = np.diff(np.append(first, len(self.ring)))
        near = (self.flat - np.repeat(self.flat[first], sizes, axis=0)).astype(np.float64)
        cross = near[:, 0] * near[after, 1] - near[after, 0] * near[:, 1]
        return np.abs(np.bincount(self.ring, weights=cross, minlength=count)) / 2


def outlines(
    rings: Rings, planes: SlicePlanes, tolerance_mm: float, limits: OutlineLimits, tally: Tally
) -> list[Region]:
    """Clean the rings of all slices: regions by slice, then in the order traced.

    Each slice is simplified by the given tolerance. If outlines then touch or cross, the slice is
    not simplified. If a contour exceeds the limits, its slice is simplified further, in steps, to
    at most COARSEST_TOLERANCE_MM.

    rings: in index space of the whole slice (row, column); slices are the grid's.

    Raises OutlineError if that does not help.
    """
    regions: dict[int, list[Region]] = {}
    if not len(rings):
        return []
    bad = _simplified_slices(rings, planes, tolerance_mm, regions, tally)
    if len(bad):
        unsimplified = rings.on_slices(bad)
        tally.rings_unsimplified += len(unsimplified)
        if len(_simplified_slices(unsimplified, planes, 0.0, regions, tally)):
            raise OutlineError("outlines touch or cross one another")
    _within_limits(regions, rings, planes, tolerance_mm=tolerance_mm, limits=limits, tally=tally)
    return [region for k in sorted(regions) for region in regions[k]]


def _within_limits(
    regions: dict[int, list[Region]],
    rings: Rings,
    planes: SlicePlanes,
    *,
    tolerance_mm: float,
    limits: OutlineLimits,
    tally: Tally,
) -> None:
    """Simplify the slices of too long contours in place, each time with twice the tolerance."""
    over = _slices_over_limits(regions, planes, limits)
    while over:
        tolerance_mm = max(2 * tolerance_mm, 2 * planes.step_mm)
        if tolerance_mm > COARSEST_TOLERANCE_MM:
            raise OutlineError(
                f"a contour on {len(over)} slice(s) is too long for a file, "
                f"even when simplified by {COARSEST_TOLERANCE_MM} mm"
            )
        coarser: dict[int, list[Region]] = {}
        _simplified_slices(rings.on_slices(np.array(over)), planes, tolerance_mm, coarser, Tally())
        regions.update(coarser)
        tally.coarsest_mm = tolerance_mm
        tally.coarsened_slices.update(over)
        over = _slices_over_limits(regions, planes, limits)


def _slices_over_limits(
    regions: dict[int, list[Region]], planes: SlicePlanes, limits: OutlineLimits
) -> list[int]:
    """Slices with a contour above the limits."""
    return [k for k, parts in regions.items() if any(_too_long(r, planes, limits) for r in parts)]


def _too_long(region: Region, planes: SlicePlanes, limits: OutlineLimits) -> bool:
    count = sum(len(ring) for ring in region.rings) + 2 * (len(region.rings) - 1)
    if limits.points is not None and count > limits.points:
        return True
    return count * _text_width(region, planes) > limits.text_bytes


def _text_width(region: Region, planes: SlicePlanes) -> int:
    """Greatest number of bytes of a point: three numbers, each with a separator."""
    width = 3
    for axis, values in enumerate(region.rings[0].T):
        if axis == planes.constant_axis:
            width += len(format_ds(float(values[0])))
        else:
            extremes = (float(values.min()), float(values.max()))
            width += max(len(f"{value:.{planes.written_decimals}f}") for value in extremes)
    return width


def _simplified_slices(
    rings: Rings,
    planes: SlicePlanes,
    tolerance_mm: float,
    regions: dict[int, list[Region]],
    tally: Tally,
) -> Index:
    """Outline all slices at one tolerance; put valid ones into `regions`, return the others."""
    cleaned = _cleaned(_rounded(rings, planes, tolerance_mm))
    areas = cleaned.areas(len(rings)) * planes.area_mm2
    specks = areas < MIN_RING_AREA_MM2
    order = np.lexsort((rings.holes, rings.components, rings.slices))
    kept = order[~specks[order]]
    bad = np.zeros(0, dtype=np.intp)
    if len(kept):
        cleaned, firsts = _gathered(cleaned, kept)
        bad = _unsound(cleaned, kept, rings)
        for region in _regions(cleaned, firsts, kept, rings):
            if region.slice_index not in bad:
                regions.setdefault(region.slice_index, []).append(region)
    counted = specks & ~np.isin(rings.slices, bad)
    for number in np.flatnonzero(counted):
        row, column = rings.points[rings.starts[number]]
        tally.specks.append(
            Speck(int(rings.slices[number]), float(row), float(column), bool(rings.holes[number]))
        )
    tally.area_dropped_mm2 += float(areas[counted].sum())
    return bad


def _rounded(rings: Rings, planes: SlicePlanes, tolerance_mm: float) -> _RoundedOutline:
    """Simplify in millimetres, then round in patient space."""
    points, ring = rings.points, rings.index
    if tolerance_mm > 0:
        spacing = np.array(planes.grid.spacing_yx)
        shapes = shapely.linearrings(points * spacing, indices=ring)
        shapes = _simplified(shapes, tolerance_mm)
        points, ring = shapely.get_coordinates(shapes, return_index=True)
        open_ends = np.diff(ring, append=-1) == 0
        points, ring = points[open_ends] / spacing, ring[open_ends]
    rounded, flat = planes.rounded(points, rings.slices[ring])
    return _RoundedOutline(rounded, flat, ring)


def _simplified(shapes: NDArray[np.object_], tolerance_mm: float) -> NDArray[np.object_]:
    """Douglas-Peucker simplification, which is fast; a slower one where a ring would collapse."""
    simple = np.asarray(shapely.simplify(shapes, tolerance_mm, preserve_topology=False))
    collapsed = shapely.get_num_coordinates(simple) < _TRIANGLE
    simple[collapsed] = shapely.simplify(shapes[collapsed], tolerance_mm, preserve_topology=True)
    return simple


def _cleaned(outline: _RoundedOutline) -> _RoundedOutline:
    """Remove points that repeat the previous one, and spikes that run out and back."""
    while True:
        before, after = outline.neighbours()
        surplus = (outline.flat == outline.flat[before]).all(axis=1)
        if not surplus.any():
            surplus = (outline.flat[before] == outline.flat[after]).all(axis=1)
        if not surplus.any():
            return outline
        outline = outline.where(~surplus)


def _gathered(outline: _RoundedOutline, kept: Index) -> tuple[_RoundedOutline, Index]:
    """The kept rings in the given order, renumbered from 0, with their starts and the end."""
    low = np.searchsorted(outline.ring, kept)
    high = np.searchsorted(outline.ring, kept, side="right")
    chosen = outline.where(
        np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)])
    )
    firsts = np.concatenate(([0], np.cumsum(high - low)))
    number = np.repeat(np.arange(len(kept)), high - low)
    return _RoundedOutline(chosen.points, chosen.flat, number), firsts


def _region_numbers(kept: Index, rings: Rings) -> Index:
    """The region (one component of one slice) of each kept ring, ascending from 0."""
    slices, components = rings.slices[kept], rings.components[kept]
    new = (np.diff(slices, prepend=-1) != 0) | (np.diff(components, prepend=-1) != 0)
    return np.asarray(np.cumsum(new) - 1)


def _unsound(outline: _RoundedOutline, kept: Index, rings: Rings) -> Index:
    """Slices on which outlines touch, cross, or share a point."""
    region = _region_numbers(kept, rings)
    shapes = np.asarray(shapely.linearrings(outline.flat.astype(np.float64), indices=outline.ring))
    polygons = np.asarray(shapely.polygons(shapes, indices=region))
    slices, slice_of = np.unique(rings.slices[kept], return_inverse=True)
    first = np.flatnonzero(np.diff(region, prepend=-1))
    whole = shapely.multipolygons(polygons, indices=slice_of[first])
    bad = ~np.asarray(shapely.is_valid(whole))
    places = np.column_stack((slice_of[outline.ring], outline.flat))
    places = places[np.lexsort(places.T)]
    shared = (np.diff(places, axis=0) == 0).all(axis=1)
    bad[places[1:][shared, 0]] = True
    return np.asarray(slices[bad])


def _regions(
    outline: _RoundedOutline, firsts: Index, kept: Index, rings: Rings
) -> Iterator[Region]:
    region = _region_numbers(kept, rings)
    begins = np.flatnonzero(np.diff(region, prepend=-1, append=-1))
    for low, high in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        spans = [slice(firsts[ring], firsts[ring + 1]) for ring in range(low, high)]
        yield Region(
            int(rings.slices[kept[low]]),
            tuple(outline.points[span] for span in spans),
            tuple(outline.flat[span] for span in spans),
        )
