"""Signed distances within each slice, from a field's sub-pixel outlines.

A structure is known by its outlines: on every slice, the level line of its field at the threshold,
as the RTSTRUCT holds it. Distances are to the line's segments, never to voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from oarflow.derived.margins import LEAST_MM, Margins
from oarflow.geometry import Grid
from oarflow.rtstruct.tracing import trace_segments
from oarflow.structures import ProbabilityField
from oarflow.types import Box, FloatArray, FloatVoxels

SLACK_CELLS = 1.25
"""A segment's middle lies at most half a lattice cell from its cell, its ends less than a pixel
from its middle: so much further distances are computed."""

MOST_PIECES = 40
"""A segment is divided into at most this many pieces before the search."""


@dataclass(frozen=True)
class Lattice:
    """Every `stride`-th pixel centre of a box of the CT, in rows and columns.

    The last lattice lines may lie beyond the box by less than `stride` pixels.
    """

    box: Box
    stride: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of slices, lattice rows and lattice columns."""
        z, y, x = (side.stop - side.start for side in self.box)
        return z, -(-(y - 1) // self.stride) + 1, -(-(x - 1) // self.stride) + 1

    def index(self, axis: int) -> NDArray[np.intp]:
        """CT indices of the lattice lines along an axis (1 rows, 2 columns)."""
        return np.asarray(self.box[axis].start + self.stride * np.arange(self.shape[axis]))


@dataclass(frozen=True)
class Reach:
    """How far from an outline distances are computed, on each side, in mm."""

    outside_mm: float
    inside_mm: float


@dataclass(frozen=True, eq=False)
class Search:
    """Where and how distances are measured.

    margins: decide the metric within the slice. reach: in the metric's longest direction.
    """

    grid: Grid
    lattice: Lattice
    margins: Margins
    reach: Reach

    @property
    def step_mm(self) -> FloatArray:
        """(2,) distance between lattice rows and between lattice columns."""
        return np.array(self.grid.spacing_yx) * self.lattice.stride

    def points_mm(self, flat: NDArray[np.intp]) -> tuple[FloatArray, NDArray[np.intp]]:
        """(n, 2) row and column in mm from voxel (0, 0), and (n,) slice, of lattice points."""
        _, rows, columns = self.lattice.shape
        k, in_slice = np.divmod(flat, rows * columns)
        i, j = np.divmod(in_slice, columns)
        index = np.stack((self.lattice.index(1)[i], self.lattice.index(2)[j]), -1)
        return index * np.array(self.grid.spacing_yx), k


@dataclass(frozen=True, eq=False)
class Sections:
    """The sections of a structure by the slices of a lattice.

    distance: float32 (z, rows, columns), in mm to the section's outline, positive inside. Where
        margins differ between directions, lengths are those of a metric in which every margin of
        the slice is as long as the greatest one.
    empty: (z,) slices without the structure. z_mm: (z,) positions of the slices. reach: greatest
        distances that the array holds. inverted: whether these are distances of everything outside.
    """

    lattice: Lattice
    distance: FloatVoxels
    empty: NDArray[np.bool_]
    z_mm: FloatArray
    reach: Reach
    inverted: bool = False

    @property
    def complement(self) -> Sections:
        """The sections of everything outside."""
        reach = Reach(self.reach.inside_mm, self.reach.outside_mm)
        return Sections(
            self.lattice, -self.distance, self.empty, self.z_mm, reach, not self.inverted
        )


def sections(field: ProbabilityField, search: Search) -> Sections:
    """Signed distances of a field's sections."""
    grid, lattice, reach = search.grid, search.lattice, search.reach
    inside = _inside(field, grid, lattice)
    distance = np.where(inside, np.float32(reach.inside_mm), np.float32(-reach.outside_mm))
    outline = _outline(field, grid, lattice)
    empty = np.logical_not(inside.any(axis=(1, 2)))
    empty[outline.slices] = False
    if len(outline.slices):
        near = _near(inside, outline, search)
        held = inside.ravel()[near]
        longest = np.where(held, reach.inside_mm, reach.outside_mm)
        found = np.minimum(_distances(near, held, outline, search), longest)
        distance.ravel()[near] = np.where(held, found, -found)
    return Sections(lattice, distance, empty, grid.offsets_mm[lattice.box[0]], reach)


@dataclass(frozen=True, eq=False)
class _Outline:
    """Segments of outlines. ends: (m, 2, 2) start and end, each (row, column) in mm from voxel
    (0, 0); the structure lies on the left, columns as x and rows as y. slices: (m,) in the box."""

    ends: FloatArray
    slices: NDArray[np.intp]

    @property
    def outward(self) -> FloatArray:
        """(m, 2) vector (row, column) out of the structure, as long as the segment."""
        along = self.ends[:, 1] - self.ends[:, 0]
        return np.stack((-along[:, 1], along[:, 0]), axis=-1)

    def of(self, kept: NDArray[np.bool_]) -> _Outline:
        return _Outline(self.ends[kept], self.slices[kept])


def _outline(field: ProbabilityField, grid: Grid, lattice: Lattice) -> _Outline:
    """Outlines within the lattice's slices, without those that only the CT's edge makes."""
    ends, slices = trace_segments(field.values, field.threshold)
    ends = ends + np.array(field.offset[1:])
    slices = slices + field.offset[0] - lattice.box[0].start
    last = np.array(grid.shape[1:]) - 1.0
    kept = ((ends >= 0) & (ends <= last)).all(axis=(1, 2))
    kept &= (slices >= 0) & (slices < lattice.shape[0])
    return _Outline(ends[kept] * np.array(grid.spacing_yx), slices[kept])


def _inside(field: ProbabilityField, grid: Grid, lattice: Lattice) -> NDArray[np.bool_]:
    """Whether each lattice point is in the structure; beyond the CT's edge as at the edge."""
    result = np.zeros(lattice.shape, dtype=np.bool_)
    here, there = [], []
    for axis in range(3):
        start, count = field.offset[axis], field.values.shape[axis]
        if axis:
            index = np.minimum(lattice.index(axis), grid.shape[axis] - 1) - start
        else:
            index = np.arange(lattice.box[0].start, lattice.box[0].stop) - start
        within = (index >= 0) & (index < count)
        here.append(np.flatnonzero(within))
        there.append(index[within])
    if all(len(part) for part in here):
        spans = tuple(slice(int(part[0]), int(part[-1]) + 1) for part in here)
        values = (
            field.values[np.ix_(*there)]
            if lattice.stride > 1
            else field.values[tuple(slice(int(part[0]), int(part[-1]) + 1) for part in there)]
        )
        result[spans] = values >= field.threshold
    return result


def _near(inside: NDArray[np.bool_], outline: _Outline, search: Search) -> NDArray[np.intp]:
    """Flat indices of the lattice points that may be within reach of an outline."""
    lattice, reach = search.lattice, search.reach
    start = [side.start for side in lattice.box[1:]] * np.array(search.grid.spacing_yx)
    flags = np.zeros(lattice.shape, dtype=np.uint8)
    cells = np.rint((outline.ends.mean(axis=1) - start) / search.step_mm).astype(np.intp)
    cells = np.clip(cells, 0, np.array(lattice.shape[1:]) - 1)
    flags[outline.slices, cells[:, 0], cells[:, 1]] = 1
    shorter, longer = sorted((reach.outside_mm, reach.inside_mm))
    least = _stretches(search.margins).min(axis=0) * search.step_mm
    both, one = (_widened(flags, mm / least) for mm in (shorter, longer))
    one &= inside if reach.inside_mm > reach.outside_mm else ~inside
    return np.flatnonzero(both | one)


def _widened(flags: NDArray[np.uint8], widths: FloatArray) -> NDArray[np.bool_]:
    """Flags also at all points of a slice at most so many rows and columns away."""
    for axis, width in enumerate(widths, start=1):
        size = 2 * int(width + SLACK_CELLS) + 1
        flags = ndimage.maximum_filter1d(flags, size, axis=axis, mode="constant")
    return np.asarray(flags.view(np.bool_))


def _stretches(margins: Margins) -> FloatArray:
    """(4, 2) factors (row, column) by quadrant that make every margin as long as the greatest.

    Quadrants in the order of `_QUADRANTS`.
    """
    greatest = margins.in_plane
    if not greatest:
        return np.ones((4, 2))
    rows = {1: margins.posterior, -1: margins.anterior}
    columns = {1: margins.left, -1: margins.right}
    return np.array(
        [
            [
                greatest / max(rows[down], min(LEAST_MM, greatest)),
                greatest / max(columns[across], min(LEAST_MM, greatest)),
            ]
            for down, across in _QUADRANTS
        ]
    )


_QUADRANTS = tuple(product((1, -1), (1, -1)))
"""Signs of (row, column): of directions out of the structure."""


def _distances(
    near: NDArray[np.intp], inside: NDArray[np.bool_], outline: _Outline, search: Search
) -> FloatArray:
    """(n,) distances of lattice points from the outlines of their slices, at most the reach."""
    points, slices = search.points_mm(near)
    stretches = _stretches(search.margins)
    most = max(search.reach.outside_mm, search.reach.inside_mm)
    if search.margins.symmetric_in_plane:
        away = _nearest(points, slices, outline, stretches[0], most)
        return _lengths(away * stretches[0], most)
    # A point outside is reached from the outline in the direction of the outline's normal.
    outward = np.where(inside, -1.0, 1.0)[:, None]
    found = np.full(len(points), most)
    normals = outline.outward
    for quadrant, stretch in zip(_QUADRANTS, stretches, strict=True):
        facing = outline.of(np.all(normals * quadrant >= 0, axis=1))
        if len(facing.slices):
            away = _nearest(points, slices, facing, stretch, most)
            this = _lengths(_restretched(away, stretches, outward), most)
            found = np.minimum(found, this)
    return found


def _lengths(vectors: FloatArray, most: float) -> FloatArray:
    return np.asarray(np.fmin(np.sqrt(_products(vectors, vectors)), most))


def _products(one: FloatArray, other: FloatArray) -> FloatArray:
    """(n,) scalar product of each two vectors."""
    return np.asarray(np.einsum("ij,ij->i", one, other))


def _nearest(
    points: FloatArray,
    slices: NDArray[np.intp],
    outline: _Outline,
    stretch: FloatArray,
    most: float,
) -> FloatArray:
    """(n, 2) vectors in mm to points from the nearest segments of their slices.

    The nearest segment is the one whose middle is nearest in the stretched plane. Beyond the
    distance `most`, the vector is not a number.
    """
    ends, on = _divided(outline.ends * stretch, outline.slices, most)
    starts, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    at = points * stretch
    nearest = _nearest_middles(at, slices, starts + along / 2, on, _longest(along) + most)
    hit = nearest < len(starts)
    which = nearest[hit]
    away, direction = at[hit] - starts[which], along[which]
    length = np.maximum(_products(direction, direction), 1e-12)
    part = np.clip(_products(away, direction) / length, 0.0, 1.0)
    found = np.full_like(points, np.nan)
    found[hit] = (away - part[:, None] * direction) / stretch
    return found


def _longest(vectors: FloatArray) -> float:
    return float(np.sqrt(_products(vectors, vectors).max()))


def _nearest_middles(
    points: FloatArray,
    slices: NDArray[np.intp],
    middles: FloatArray,
    on: NDArray[np.intp],
    most: float,
) -> NDArray[np.intp]:
    """(n,) index of the middle nearest to each point on its slice; their number where none is near.

    slices, on: the slices of points and of middles, ascending.
    """
    found = np.full(len(points), len(middles), dtype=np.intp)
    for k in np.unique(slices):
        first, stop = np.searchsorted(on, (k, k + 1))
        if first == stop:
            continue
        start, end = np.searchsorted(slices, (k, k + 1))
        tree = KDTree(middles[first:stop], balanced_tree=False, compact_nodes=False)
        _, nearest = tree.query(points[start:end], distance_upper_bound=most)
        nearest = np.asarray(nearest)
        found[start:end] = np.where(nearest < stop - first, nearest + first, len(middles))
    return found


def _restretched(away_mm: FloatArray, stretches: FloatArray, outward: FloatArray) -> FloatArray:
    """Vectors stretched as the quadrants into which they point demand."""
    rows, columns = (away_mm * outward).T
    quadrant = 2 * (rows < 0) + (columns < 0)
    return np.asarray(away_mm * stretches[quadrant])


def _divided(
    ends: FloatArray, slices: NDArray[np.intp], reach_mm: float
) -> tuple[FloatArray, NDArray[np.intp]]:
    """The segments, those that are long in the stretched plane divided into equal pieces."""
    along = ends[:, 1] - ends[:, 0]
    lengths = np.sqrt(_products(along, along))
    longest = max(reach_mm / 4, 1.5)
    if lengths.max() <= longest:
        return ends, slices
    pieces = np.clip(np.ceil(lengths / longest), 1, MOST_PIECES).astype(np.intp)
    which = np.repeat(np.arange(len(ends)), pieces)
    number = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin, step = ends[which, 0], (ends[which, 1] - ends[which, 0]) / pieces[which, None]
    first = begin + step * number[:, None]
    return np.stack((first, first + step), axis=1), slices[which]
