"""Shapes whose margins a formula gives, on slices at uneven distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from oarflow.geometry import Grid
from oarflow.types import FloatArray

CENTRE_MM = (60.3, 59.6, 60.2)
"""Centre of every shape (z, y, x), on no voxel."""

EXTENT_MM = 120.0
SPHERE_MM, CYLINDER_MM = 22.0, (15.0, 25.0)
"""Radius of the sphere; radius and half length of the cylinder."""

PLATE_MM = (14.0, 35.0)
"""Half thickness and half width of a plate."""

CAP_MM = 8.0
"""Points so near to an edge of a plate or an end of a cylinder belong to the caps."""

Coordinates = tuple[FloatArray, FloatArray, FloatArray]
"""z, y and x in mm."""


@dataclass(frozen=True)
class Shape:
    """A shape by formula.

    distance: signed distance (mm, positive inside) at coordinates. error: by point, the distance
    of the surface from the one moved by some mm; caps are left out. It takes points, the move, and
    the lowest and highest slice with the shape.
    """

    name: str
    distance: Callable[[Coordinates], FloatArray]
    error: Callable[[Coordinates, float, tuple[float, float]], FloatArray]


def shapes() -> tuple[Shape, ...]:
    """The shapes of the page."""
    return (
        Shape("sphere", _sphere, _sphere_error),
        Shape("cylinder", _cylinder, _cylinder_error),
        *(_plate(degrees) for degrees in (35.0, 60.0)),
    )


def grid_of(gaps: Sequence[float], pixel_mm: float = 1.0) -> Grid:
    """Slices whose distances are the gaps, in ever new orders."""
    rng = np.random.default_rng(3)
    z = [0.0]
    while z[-1] < EXTENT_MM:
        z.extend(z[-1] + np.cumsum(rng.permutation(gaps)))
    positions = np.zeros((len(z), 3))
    positions[:, 2] = z
    pixels = round(EXTENT_MM / pixel_mm)
    return Grid(
        positions,
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, 1.0, 0.0]),
        (pixel_mm, pixel_mm),
        (len(z), pixels, pixels),
    )


def coordinates(grid: Grid) -> Coordinates:
    """Of all voxels, ready to be broadcast."""
    return grid.axis_mm(0)[:, None, None], grid.axis_mm(1)[:, None], grid.axis_mm(2)


def _from_centre(at: Coordinates) -> Coordinates:
    z, y, x = (axis - middle for axis, middle in zip(at, CENTRE_MM, strict=True))
    return z, y, x


def _sphere(at: Coordinates) -> FloatArray:
    z, y, x = _from_centre(at)
    return np.asarray(SPHERE_MM - np.sqrt(z**2 + y**2 + x**2))


def _sphere_error(at: Coordinates, mm: float, slices: tuple[float, float]) -> FloatArray:
    """Without points whose normal leads to the first or last section, or beyond."""
    z, y, x = _from_centre(at)
    radius = np.sqrt(z**2 + y**2 + x**2)
    origin = CENTRE_MM[0] + z / radius * SPHERE_MM
    return np.asarray((radius - SPHERE_MM - mm)[(origin > slices[0]) & (origin < slices[1])])


def _cylinder(at: Coordinates) -> FloatArray:
    z, y, x = _from_centre(at)
    radius, half = CYLINDER_MM
    return np.asarray(np.minimum(radius - np.hypot(y, x), half - np.abs(z)))


def _cylinder_error(at: Coordinates, mm: float, _: tuple[float, float]) -> FloatArray:
    z, y, x = _from_centre(at)
    radius, half = CYLINDER_MM
    sides = np.abs(z) < half + min(mm, 0) - CAP_MM
    return np.asarray((np.hypot(y, x) - radius - mm)[sides])


def _plate(degrees: float) -> Shape:
    """A plate that is tilted against the slices."""
    half, width = PLATE_MM
    tilt = np.radians(degrees)

    def turned(at: Coordinates) -> Coordinates:
        z, y, x = _from_centre(at)
        return z * np.cos(tilt) + x * np.sin(tilt), y, x * np.cos(tilt) - z * np.sin(tilt)

    def distance(at: Coordinates) -> FloatArray:
        across, y, along = turned(at)
        edges = width - np.maximum(np.abs(y), np.abs(along))
        return np.asarray(np.minimum(half - np.abs(across), edges))

    def error(at: Coordinates, mm: float, _: tuple[float, float]) -> FloatArray:
        across, y, along = turned(at)
        faces = np.maximum(np.abs(y), np.abs(along)) < width + min(mm, 0) - CAP_MM
        return np.asarray((np.abs(across) - half - mm)[faces])

    return Shape(f"plate at {degrees:g} degrees", distance, error)
