"""Iso-contours of a stack of slices: closed rings at sub-pixel precision, in one numpy pass.

Marching squares with linear interpolation along the pixel grid's edges, in double precision. If
only two opposite corners of a cell are inside, they are always separated, so that each set of rings
is exactly one 4-connected component of the mask. No library that is fast enough guarantees this
rule (contourpy decides by the mean of the four corners).

Pure geometry in index space: no millimetres, no DICOM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)

# Corners as bits: top left 1, top right 2, bottom right 4, bottom left 8. Each pair is a step from
# one crossed edge of the cell to another, with the inside on the left (columns as x, rows as y).
_STEPS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((_TOP, _LEFT),),
    2: ((_RIGHT, _TOP),),
    3: ((_RIGHT, _LEFT),),
    4: ((_BOTTOM, _RIGHT),),
    5: ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    6: ((_BOTTOM, _TOP),),
    7: ((_BOTTOM, _LEFT),),
    8: ((_LEFT, _BOTTOM),),
    9: ((_TOP, _BOTTOM),),
    10: ((_RIGHT, _TOP), (_LEFT, _BOTTOM)),
    11: ((_RIGHT, _BOTTOM),),
    12: ((_LEFT, _RIGHT),),
    13: ((_TOP, _RIGHT),),
    14: ((_LEFT, _TOP),),
}
_LEAVES_BY = np.full((4, 16), -1, dtype=np.int8)
for _case, _pairs in _STEPS.items():
    for _enter, _leave in _pairs:
        _LEAVES_BY[_enter, _case] = _leave


@dataclass(frozen=True, eq=False)
class Rings:
    """Closed rings of a stack of slices, points concatenated.

    points: (n, 2) float64 (row, column) in the traced array's index space, rings one after
        another, none repeating its first point. Outer rings run counter-clockwise with the column
        as x and the row as y, holes clockwise.
    starts: (m + 1,) first point of each ring, and n.
    slices: (m,) slice of each ring, ascending.
    components: (m,) number of the 4-connected component of its slice that the ring bounds: one
        outer ring and its holes share a number.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.intp]
    slices: NDArray[np.intp]
    components: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.slices)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """(n,) the ring that each point belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def holes(self) -> NDArray[np.bool_]:
        """(m,) whether the ring is the outline of a hole."""
        row, column = self.points.T
        following = np.arange(1, len(row) + 1)
        following[self.starts[1:] - 1] = self.starts[:-1]
        cross = column * row[following] - column[following] * row
        return np.asarray(np.add.reduceat(cross, self.starts[:-1]) < 0)

    def on_slices(self, wanted: NDArray[np.intp]) -> Rings:
        """The rings of the wanted slices only."""
        kept = np.isin(self.slices, wanted)
        counts = np.diff(self.starts)[kept]
        return Rings(
            self.points[kept[self.index]],
            np.concatenate(([0], np.cumsum(counts))),
            self.slices[kept],
            self.components[kept],
        )


def trace_rings(
    values: NDArray[np.floating], level: float, clearance: float | tuple[float, float] = 0.0
) -> Rings:
    """Trace the boundary of `values >= level` on every slice.

    values: (z, rows, columns); 0 is assumed outside the array, so that rings at its edges close
        half-way (for a binary mask) to the next pixel centre.
    clearance: least distance of a ring's point from a pixel centre, in pixels (rows, columns), so
        that rings through a pixel centre do not touch themselves after rounding.

    Raises ValueError where level is not above 0 (all of space would be inside).
    """
    if level <= 0:
        raise ValueError(f"the level {level} must be above 0, the value outside the array")
    padded = np.pad(np.asarray(values), ((0, 0), (1, 1), (1, 1)))
    inside = padded >= level
    row_length = padded.shape[2]
    enter, leave = _steps(inside)
    if not len(enter):
        nothing = np.zeros(0, dtype=np.intp)
        return Rings(np.zeros((0, 2)), np.zeros(1, dtype=np.intp), nothing, nothing)
    ascending = np.argsort(enter)
    enter = enter[ascending]
    follower = np.searchsorted(enter, leave[ascending])
    order, starts = _cycles(follower.tolist())
    first = enter[order[starts[:-1]]]
    pixel = np.where(
        inside.ravel()[first >> 1], first >> 1, (first >> 1) + np.where(first & 1, row_length, 1)
    )
    points = _crossings(padded, level, enter, clearance)[order] - 1.0
    slices = (first >> 1) // (padded.shape[1] * row_length)
    separate = Rings(points, starts, slices, np.arange(len(slices)))
    return replace(separate, components=_components(separate, inside, pixel))


def trace_segments(
    values: NDArray[np.floating], level: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The boundary of `values >= level` as separate segments, in no order.

    Returns (m, 2, 2) starts and ends (row, column) in the index space of `values`, the inside on
    the left (columns as x, rows as y), and (m,) the slice of each. 0 is assumed outside the array.
    Raises ValueError where level is not above 0.
    """
    if level <= 0:
        raise ValueError(f"the level {level} must be above 0, the value outside the array")
    found = [_plane_segments(plane, level) for plane in np.asarray(values)]
    slices = np.repeat(np.arange(len(found)), [len(ends) for ends in found])
    return np.concatenate([np.zeros((0, 2, 2)), *found]), slices


def _plane_segments(plane: NDArray[np.floating], level: float) -> NDArray[np.float64]:
    """(m, 2, 2) segments of one slice; slice by slice, a large stack stays in the cache."""
    padded = np.pad(plane, 1)[None]
    steps = _steps(padded >= level)
    return np.stack([_crossings(padded, level, edges, 0.0) for edges in steps], axis=1) - 1.0


def _steps(inside: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Steps of all mixed cells, as edge numbers (entered, left).

    Edge 2p joins pixel p (flat index) to its right neighbour, 2p + 1 to the one below.
    """
    case = inside[:, :-1, :-1].astype(np.uint8)
    case |= inside[:, :-1, 1:].view(np.uint8) << 1
    case |= inside[:, 1:, 1:].view(np.uint8) << 2
    case |= inside[:, 1:, :-1].view(np.uint8) << 3
    mixed = np.flatnonzero((case != 0) & (case != 15))
    kind = case.ravel()[mixed]
    row_length = inside.shape[2]
    k, in_slice = np.divmod(mixed, case.shape[1] * case.shape[2])
    row, column = np.divmod(in_slice, case.shape[2])
    pixel = (k * inside.shape[1] + row) * row_length + column
    edges = np.stack((2 * pixel, 2 * pixel + 3, 2 * (pixel + row_length), 2 * pixel + 1))
    leaves_by = _LEAVES_BY[:, kind]
    side, cell = np.nonzero(leaves_by >= 0)
    return edges[side, cell], edges[leaves_by[side, cell], cell]


def _cycles(follower: list[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split a permutation into its cycles: members in order, and where each cycle starts."""
    seen = bytearray(len(follower))
    order: list[int] = []
    starts = [0]
    for first in range(len(follower)):
        at = first
        if seen[at]:
            continue
        while not seen[at]:
            seen[at] = 1
            order.append(at)
            at = follower[at]
        starts.append(len(order))
    return np.array(order, dtype=np.intp), np.array(starts, dtype=np.intp)


def _crossings(
    padded: NDArray[np.floating],
    level: float,
    edges: NDArray[np.intp],
    clearance: float | tuple[float, float],
) -> NDArray[np.float64]:
    """(n, 2) (row, column) where the level crosses each edge, in the padded array."""
    pixel, down = edges >> 1, edges & 1
    row_length = padded.shape[2]
    flat = padded.ravel()
    low = flat[pixel].astype(np.float64)
    high = flat[pixel + np.where(down, row_length, 1)].astype(np.float64)
    least = np.broadcast_to(np.asarray(clearance, dtype=np.float64), 2)[1 - down]
    part = np.clip((level - low) / (high - low), least, 1.0 - least)
    in_slice = pixel % (padded.shape[1] * row_length)
    return np.stack(
        (in_slice // row_length + part * down, in_slice % row_length + part * (1 - down)), axis=-1
    )


def _components(
    rings: Rings, inside: NDArray[np.bool_], pixel: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Number of the 4-connected component of each ring, given a pixel inside it (flat index).

    Only slices with holes need to be labelled: elsewhere each ring is a component.
    """
    components = rings.components.copy()
    for k in np.unique(rings.slices[rings.holes]):
        labels, _ = ndimage.label(inside[k])
        here = rings.slices == k
        components[here] = labels.ravel()[pixel[here] - k * labels.size]
    return components
