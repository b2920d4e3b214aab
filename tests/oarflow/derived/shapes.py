"""Shapes by formula on uneven slices: signed distances in mm, positive inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.rtstruct.tracing import trace_rings
from oarflow.structures import ProbabilityField

Floats = NDArray[np.float64]
Shape = Callable[[Floats, Floats, Floats], Floats]
"""Signed distance at (z, y, x) mm."""

CENTRE = (60.3, 59.6, 60.2)
"""Of every shape, (z, y, x) mm, on no pixel."""


def uneven_grid(
    gaps: Sequence[float],
    length_mm: float = 120.0,
    pixels: int = 120,
    spacing_yx: tuple[float, float] = (1.0, 1.0),
) -> Grid:
    """Slices whose distances are the gaps in turn, then in other orders."""
    rng = np.random.default_rng(3)
    z = [0.0]
    while z[-1] < length_mm:
        z.extend(z[-1] + np.cumsum(rng.permutation(gaps)))
    positions = np.zeros((len(z), 3))
    positions[:, 2] = z
    shape = (len(z), pixels, pixels)
    return Grid(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), spacing_yx, shape)


def sphere(radius: float, centre: tuple[float, float, float] = CENTRE) -> Shape:
    cz, cy, cx = centre
    return lambda z, y, x: radius - np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)


def cylinder(radius: float, half_length: float) -> Shape:
    cz, cy, cx = CENTRE
    return lambda z, y, x: np.minimum(
        radius - np.hypot(y - cy, x - cx), half_length - np.abs(z - cz)
    )


def along_plate(degrees: float, z: Floats, y: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Coordinates across a tilted plate and along its two edges, from its centre."""
    cz, cy, cx = CENTRE
    tilt = np.radians(degrees)
    across = (z - cz) * np.cos(tilt) + (x - cx) * np.sin(tilt)
    along = -(z - cz) * np.sin(tilt) + (x - cx) * np.cos(tilt)
    return across, along, y - cy


def plate(half_thickness: float, degrees: float, half_width: float) -> Shape:
    def distance(z: Floats, y: Floats, x: Floats) -> Floats:
        parts = along_plate(degrees, z, y, x)
        halves = (half_thickness, half_width, half_width)
        depths = [half - np.abs(part) for half, part in zip(halves, parts, strict=True)]
        return np.asarray(reduce(np.minimum, depths))

    return distance


def field_of(shape: Shape, grid: Grid) -> ProbabilityField:
    """A field whose surface is the shape's, as smooth as a network's."""
    z = grid.axis_mm(0)[:, None, None]
    y, x = grid.axis_mm(1)[:, None], grid.axis_mm(2)
    values = np.clip(0.5 + shape(z, y, x) / 6, 0, 1)
    return ProbabilityField(values.astype(np.float32), (0, 0, 0))


def outline(field: ProbabilityField, grid: Grid) -> Floats:
    """(n, 3) points (z, y, x) mm of a field's outlines on its slices."""
    rings = trace_rings(field.values, field.threshold)
    slices = rings.slices[rings.index] + field.offset[0]
    in_plane = (rings.points + np.array(field.offset[1:])) * np.array(grid.spacing_yx)
    return np.column_stack((grid.offsets_mm[slices], in_plane))
