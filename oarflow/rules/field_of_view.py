"""The part of each slice that the scanner reconstructed, and the sides on which it cuts a body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.faces import FACES
from oarflow.geometry import Grid
from oarflow.structures import Side
from oarflow.types import Box, FloatVoxels, Mask

STRAIGHT_SHARE = 0.6
"""Padding has a straight border if the values reach it along this share of its length. A body that
was cut out of its surroundings has no border that is so straight."""

ROUND_SHARE = 0.9
"""Values fill the circle of reconstruction if they fill this share of it. Clipped air in it looks
like padding."""

WIDE_SHARE = 0.7
"""The circle's diameter is at least this share of the image's shorter side."""

NEAR_PIXELS = 2.0
"""A body that comes so near to the circle is cut: the pixels at its border are blurred."""

LEAST_VOXELS = 4
"""Fewer voxels at a border are noise."""


@dataclass(frozen=True)
class Circle:
    """The circle of reconstruction, in mm from pixel (0, 0) of a slice."""

    y: float
    x: float
    radius: float

    def distances(self, grid: Grid) -> NDArray[np.float64]:
        """(y, x) distance of each pixel from the centre."""
        return np.hypot(grid.axis_mm(1)[:, None] - self.y, grid.axis_mm(2) - self.x)


@dataclass(frozen=True)
class FieldOfView:
    """rows, columns: of the slice that can have values. circle: None where it cuts nothing off."""

    rows: slice
    columns: slice
    circle: Circle | None

    def cut_sides(self, body: Mask, box: Box, grid: Grid) -> frozenset[Side]:
        """In-plane faces that cut a body. body: bool (z, y, x) in its box of the CT."""
        shadow = np.zeros(grid.shape[1:], dtype=np.int64)
        shadow[box[1], box[2]] = body.sum(axis=0)
        (front, back), (right, left) = FACES[1:]
        counts = {
            front: shadow[self.rows.start].sum(),
            back: shadow[self.rows.stop - 1].sum(),
            right: shadow[:, self.columns.start].sum(),
            left: shadow[:, self.columns.stop - 1].sum(),
        }
        if self.circle is not None:
            reach = self.circle.radius - NEAR_PIXELS * max(grid.spacing_yx)
            rows, columns = np.nonzero((self.circle.distances(grid) >= reach) & (shadow > 0))
            down = grid.axis_mm(1)[rows] - self.circle.y
            across = grid.axis_mm(2)[columns] - self.circle.x
            steep = np.abs(down) >= np.abs(across)
            at = shadow[rows, columns]
            counts[front] += at[steep & (down < 0)].sum()
            counts[back] += at[steep & (down > 0)].sum()
            counts[right] += at[~steep & (across < 0)].sum()
            counts[left] += at[~steep & (across > 0)].sum()
        return frozenset(side for side, count in counts.items() if count >= LEAST_VOXELS)


def field_of_view(hu: FloatVoxels, grid: Grid) -> FieldOfView:
    """The field of view of a CT.

    Scanners pad what they did not reconstruct with one value: around a circle, and beyond the
    borders of an image that was moved. Padding of another shape is no field of view: such a CT was
    masked to the body.
    """
    used = hu.max(axis=0) > hu.min()
    height, width = used.shape
    whole = FieldOfView(slice(0, height), slice(0, width), None)
    if not used.any():
        return whole
    rows = _side(used)
    columns = _side(used.T)
    middle = (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2
    for centre in ((height - 1) / 2, (width - 1) / 2), middle:
        circle = _circle(used, grid, centre)
        inside = (circle.distances(grid) <= circle.radius)[rows, columns]
        wide = 2 * circle.radius >= WIDE_SHARE * min(height, width) * min(grid.spacing_yx)
        if wide and used[rows, columns][inside].mean() >= ROUND_SHARE:
            return FieldOfView(rows, columns, None if inside.all() else circle)
    return whole


def _side(used: Mask) -> slice:
    """First and last row of the values; those of the whole image where padding is not straight."""
    lines, others = (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
    length = others[-1] + 1 - others[0]
    straight = [used[line].sum() >= STRAIGHT_SHARE * length for line in lines[[0, -1]]]
    start = int(lines[0]) if straight[0] else 0
    return slice(start, int(lines[-1]) + 1 if straight[1] else len(used))


def _circle(used: Mask, grid: Grid, centre: tuple[float, float]) -> Circle:
    y, x = centre[0] * grid.spacing_yx[0], centre[1] * grid.spacing_yx[1]
    distances = Circle(y, x, 0.0).distances(grid)
    return Circle(y, x, float(distances[used].max()))
