"""Margins in three dimensions: a structure grown or shrunk by an ellipsoid.

The grown structure holds every point from which the structure is reached within the margins: within
the ellipsoid whose half axes are the margins of the directions (one quarter of an ellipse in each
quadrant). Shrinking grows what lies outside, in opposite directions.

Between two slices, signed distances pass linearly from one section to the next, by true positions;
in a gap above JOINED_MM, through a section at its middle, on a cubic through four sections. An end
lies half-way to the next slice, as slice thickness counts in volumes, and is flat. Up to there, the
outline continues as from the slice before, but never widens. The edge of the CT is no surface:
nothing shrinks from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.derived.combining import intersection, union
from oarflow.derived.levels import as_field
from oarflow.derived.margins import Margins
from oarflow.derived.sections import Lattice, Reach, Search, Sections, sections
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.types import Box, FloatArray, FloatVoxels

FINE_POINTS = 60_000
"""A box with more points on a slice is sampled at COARSE_MM instead of at each pixel."""

COARSE_MM = 3.0
"""On the body of a 1 mm CT, margins of 3 to 10 mm then lie 0.05 mm (mean) and 0.15 mm (95 %) from
those sampled at each pixel."""

CURVATURE_MM = 0.03
"""Greatest distance (mm) of a sampled surface from an outline whose radius is the margin. It
decides how coarse large margins are sampled."""

GAPS = 3.0
"""In-plane distances reach at least this many times the widest gap of slices, so that slanted
outlines are joined where they belong."""

JOINED_MM = 2.0
"""Wider gaps between two sections get one more section at their middle."""

MOST_BULGE = 1 / 8
"""Greatest change of that section's signed distances by the cubic, as a share of the gap."""

_BEYOND = 1e6
"""Length of the parts that stand for what lies beyond the first and last slice."""


def grown(field: ProbabilityField, grid: Grid, margins: Margins) -> ProbabilityField | None:
    """The structure with a margin. None where it is empty."""
    lattice, found = _sections(field, _box(field.box, grid, margins), grid, margins)
    result = as_field(_dilated(found, grid, margins), lattice, grid, margins.stretch)
    if result is None or margins.stretch == 1:
        return result
    return union([result, field], grid, seam_mm=0.0)


def shrunk(field: ProbabilityField, grid: Grid, margins: Margins) -> ProbabilityField | None:
    """What is left after a layer at the surface is removed. None where nothing is left."""
    lattice, found = _sections(field, _box(field.box, grid, Margins()), grid, margins, inward=True)
    outside = _dilated(found.complement, grid, margins.mirrored)
    result = as_field(-outside, lattice, grid, margins.stretch)
    if result is None or margins.stretch == 1:
        return result
    return intersection([result, field], grid)


def _sections(
    field: ProbabilityField, box: Box, grid: Grid, margins: Margins, *, inward: bool = False
) -> tuple[Lattice, Sections]:
    """The sections in a box. inward: whether the surface moves into the structure."""
    lattice = Lattice(box, _stride(box, grid, margins))
    far, near = _reach(grid, lattice, margins)
    reach = Reach(near, far) if inward else Reach(far, near)
    return lattice, sections(field, Search(grid, lattice, margins, reach))


def _box(box: Box, grid: Grid, margins: Margins) -> Box:
    """A box with the margins and one more voxel on each side, cut at the CT's edges."""
    z, y, x = box
    at = grid.offsets_mm
    low = at[z.start] - margins.inferior
    high = at[z.stop - 1] + margins.superior
    if z.start:  # an end reaches half-way to the next slice
        low -= (at[z.start] - at[z.start - 1]) / 2
    if z.stop < len(at):
        high += (at[z.stop] - at[z.stop - 1]) / 2
    first = int(np.searchsorted(at, low)) - 1
    last = int(np.searchsorted(at, high, side="right")) + 1
    rows, columns = grid.spacing_yx
    return (
        slice(max(0, first), min(len(at), last)),
        _wider(y, margins.anterior / rows, margins.posterior / rows, grid.shape[1]),
        _wider(x, margins.right / columns, margins.left / columns, grid.shape[2]),
    )


def _wider(side: slice, low: float, high: float, size: int) -> slice:
    start = side.start - int(np.ceil(low)) - 2
    stop = side.stop + int(np.ceil(high)) + 2
    return slice(max(0, start), min(size, stop))


def _stride(box: Box, grid: Grid, margins: Margins) -> int:
    """Pixels between two lattice lines."""
    points = (box[1].stop - box[1].start) * (box[2].stop - box[2].start)
    if points > FINE_POINTS:
        pitch = COARSE_MM
    else:
        pitch = min(COARSE_MM, float(np.sqrt(8 * CURVATURE_MM * margins.in_plane)))
    return max(1, int(np.floor(pitch / max(grid.spacing_yx) + 0.1)))


def _pad(grid: Grid, lattice: Lattice, margins: Margins) -> float:
    """How far from the surface lattice points hold its distance, in mm of the metric's longest
    direction."""
    return 1.6 * lattice.stride * max(grid.spacing_yx) * margins.stretch


def _reach(grid: Grid, lattice: Lattice, margins: Margins) -> tuple[float, float]:
    """Distances (mm) that are needed on the side to which the surface moves, and on the other."""
    z = grid.offsets_mm[lattice.box[0]]
    widest = float(np.diff(z).max()) if len(z) > 1 else 0.0
    pad = _pad(grid, lattice, margins)
    return max(margins.in_plane + pad, GAPS * widest), max(pad, GAPS * widest)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Stretches of the normal in which sections change linearly.

    planes: (q, points) signed distances of the sections, slices first. low, high: (p,) ends of the
    parts in mm, ascending. below, above: (p,) plane that holds at each end.
    """

    planes: FloatVoxels
    low: FloatArray
    high: FloatArray
    below: NDArray[np.intp]
    above: NDArray[np.intp]

    @classmethod
    def of(cls, found: Sections) -> _Parts:
        """Two slices with the structure are joined; an end lies half-way to the next slice."""
        z, last = found.z_mm, len(found.z_mm) - 1
        planes = found.distance.reshape(last + 1, -1)
        added: list[FloatVoxels] = []
        parts = [(z[0] - _BEYOND, z[0], 0, 0)]
        for k in range(last):
            middle, number = (z[k] + z[k + 1]) / 2, len(planes) + len(added)
            below, above = k, k + 1
            if found.empty[k] == found.empty[k + 1]:
                if found.empty[k] or z[k + 1] - z[k] <= JOINED_MM:
                    parts.append((z[k], z[k + 1], k, k + 1))
                    continue
                added.append(_middle(planes, found, k))
                below = above = number
            elif found.empty[k]:
                added.append(_end(planes, found, k + 1, k + 2, z[k + 1] - middle))
                above = number
            else:
                added.append(_end(planes, found, k, k - 1, middle - z[k]))
                below = number
            parts += [(z[k], middle, k, below), (middle, z[k + 1], above, k + 1)]
        parts.append((z[last], z[last] + _BEYOND, last, last))
        low, high, first, second = map(np.array, zip(*parts, strict=True))
        return cls(
            np.concatenate((planes, *(row[None] for row in added))), low, high, first, second
        )

    def within(self, low: float, high: float) -> slice:
        """The parts that meet a range, in mm."""
        first = int(np.searchsorted(self.high, low))
        stop = int(np.searchsorted(self.low, high, side="right"))
        return slice(first, max(stop, first + 1))


def _end(
    planes: FloatVoxels, found: Sections, last: int, before: int, half_mm: float
) -> FloatVoxels:
    """Signed distances at an end, half_mm from the last slice with the structure.

    The outline narrows as from the slice before to the last one. It does not widen.
    """
    if not 0 <= before < len(found.z_mm) or found.empty[before]:
        return np.asarray(planes[last])
    change = planes[last] - planes[before]
    change = np.maximum(change, 0) if found.inverted else np.minimum(change, 0)
    step_mm = abs(found.z_mm[last] - found.z_mm[before])
    return np.asarray(planes[last] + np.float32(half_mm / step_mm) * change)


def _middle(planes: FloatVoxels, found: Sections, k: int) -> FloatVoxels:
    """Signed distances half-way between slices k and k + 1: the cubic of Hermite."""
    gap = np.float32(found.z_mm[k + 1] - found.z_mm[k])
    slope = (planes[k + 1] - planes[k]) / gap
    below, above = (_slope_at(planes, found, k, side, slope) for side in (-1, 1))
    if below is None and above is None:
        return np.asarray((planes[k] + planes[k + 1]) / 2)
    if below is None or above is None:  # a parabola through three sections
        known = below if above is None else above
        bend = 2 * (slope - known) * (-1 if below is None else 1)
    else:
        bend = above - below
    bulge = np.clip(gap / 8 * -bend, -MOST_BULGE * gap, MOST_BULGE * gap)
    ends = (np.minimum(planes[k], planes[k + 1]), np.maximum(planes[k], planes[k + 1]))
    cut = (ends[0] <= -found.reach.outside_mm) | (ends[1] >= found.reach.inside_mm)
    return np.asarray((planes[k] + planes[k + 1]) / 2 + np.where(cut, 0, bulge))


def _slope_at(
    planes: FloatVoxels, found: Sections, k: int, side: int, slope: FloatVoxels
) -> FloatVoxels | None:
    """Change of distance per mm at slice k (side -1) or k + 1 (side 1), None at an end.

    That of the parabola through the slice and its neighbours. slope: between k and k + 1.
    """
    near, far = (k, k - 1) if side < 0 else (k + 1, k + 2)
    if not 0 <= far < len(found.z_mm) or found.empty[far]:
        return None
    z = found.z_mm
    outer, inner = np.float32(abs(z[far] - z[near])), np.float32(z[k + 1] - z[k])
    beyond = (planes[far] - planes[near]) / np.float32(z[far] - z[near])
    return np.asarray((outer * slope + inner * beyond) / (outer + inner))


def _dilated(found: Sections, grid: Grid, margins: Margins) -> FloatVoxels:
    """Signed distances (mm, within a slice) of the grown structure, exact near its surface."""
    parts = _Parts.of(found)
    distance = found.distance
    pad, widest = _pad(grid, found.lattice, margins), margins.in_plane
    result = np.empty_like(distance)
    planes = parts.planes
    for k, z in enumerate(found.z_mm):
        span = parts.within(z - margins.superior, z + margins.inferior)
        used = np.unique((parts.below[span], parts.above[span]))
        surely = planes[k] > pad - widest
        open_ = np.flatnonzero((_greatest(planes, used) > -widest - pad) & ~surely)
        plane = result[k].reshape(-1)
        plane[:] = np.where(surely, planes[k] + np.float32(widest), np.float32(-pad))
        if len(open_):
            plane[open_] = _furthest(open_, parts, span, float(z), margins)
    return result


def _greatest(planes: FloatVoxels, used: NDArray[np.intp]) -> FloatVoxels:
    result = planes[used[0]].copy()
    for k in used[1:]:
        np.maximum(result, planes[k], out=result)
    return np.asarray(result)


def _furthest(
    points: NDArray[np.intp],
    parts: _Parts,
    span: slice,
    z: float,
    margins: Margins,
) -> FloatVoxels:
    """By point, the greatest of the signed distances that any section within reach gives.

    A section at a height u above the slice (below: u < 0) reaches within the slice as far as the
    ellipsoid is wide there: w(u). Along a part, the section's distance s is linear in u and w is
    concave, so that the greatest w + s is known in closed form.
    """
    radius, up, down = margins.in_plane, margins.superior, margins.inferior
    planes = parts.planes
    low, high = parts.low[span, None], parts.high[span, None]
    at_low, at_high = planes[parts.below[span]][:, points], planes[parts.above[span]][:, points]
    slope = (at_high - at_low) / (high - low).astype(np.float32)
    # Sections above reach down by the inferior margin, sections below up by the superior one.
    half = np.where(slope > 0, down, up).astype(np.float32)
    steep = slope * half
    length = np.sqrt(np.float32(radius**2) + steep * steep)
    best = half * steep / np.maximum(length, np.float32(1e-9))
    least, most = np.maximum(low - z, -up), np.minimum(high - z, down)
    u = np.clip(best, least.astype(np.float32), most.astype(np.float32))
    part = u / np.maximum(np.where(u > 0, down, up), 1e-9).astype(np.float32)
    wide = np.float32(radius) * np.sqrt(np.maximum(1 - part * part, 0))
    reached = wide + at_low + slope * (u - (low - z).astype(np.float32))
    return np.asarray(reached.max(axis=0))
