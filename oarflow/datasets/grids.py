"""Where an image file says that its voxels lie, and whether two files mean the same place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.types import Triple

SAME_VOXELS = 0.1
"""Corners of one grid may differ by this share of a voxel: files round their numbers."""

RIGHT_ANGLE = 1e-3
"""Greatest cosine between two axes that are at right angles (0.06 degrees from them)."""


@dataclass(frozen=True, eq=False)
class StoredGrid:
    """Voxels in the order of a file's own axes, the fastest first.

    size: voxels along each axis. spacing_mm: their distance. origin_lps: (x, y, z) mm, centre of
    the first voxel. directions: (3, 3), column k the LPS direction of axis k.
    """

    size: tuple[int, int, int]
    spacing_mm: Triple
    origin_lps: Triple
    directions: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid) -> StoredGrid:
        """A grid of even spacing, stored by rows and slices."""
        slices, rows, columns = grid.shape
        z_mm, y_mm, x_mm = grid.spacing_zyx
        x, y, z = (float(mm) for mm in grid.positions_lps[0])
        axes = np.stack((grid.x_direction, grid.y_direction, grid.normal), axis=1)
        return cls((columns, rows, slices), (x_mm, y_mm, z_mm), (x, y, z), axes)

    @property
    def sheared(self) -> bool:
        """Whether two of the axes are not at right angles."""
        product = self.directions.T @ self.directions
        return bool(np.abs(product - np.eye(3)).max() > RIGHT_ANGLE)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(8, 3) LPS mm, centres of the corner voxels, always in the same order."""
        ends = np.stack(np.meshgrid(*((0, n - 1) for n in self.size), indexing="ij"), -1)
        steps = self.directions * self.spacing_mm
        return np.asarray(self.origin_lps + ends.reshape(-1, 3) @ steps.T)

    def __str__(self) -> str:
        size = " x ".join(map(str, self.size))
        spacing = " x ".join(f"{mm:.5g}" for mm in self.spacing_mm)
        origin = ", ".join(f"{mm + 0.0:.6g}" for mm in self.origin_lps)
        axes = ", ".join(_axis(column) for column in self.directions.T)
        return f"{size} voxels of {spacing} mm, first voxel at ({origin}) mm LPS, axes to {axes}"


def difference(one: StoredGrid, other: StoredGrid) -> str:
    """What two grids differ in (size, spacing, origin, direction), "" where they are the same."""
    if one.size == other.size and _away(one, other) <= SAME_VOXELS:
        return ""
    count = np.maximum(one.size, other.size)
    step = np.minimum(one.spacing_mm, other.spacing_mm)
    room = SAME_VOXELS * float(step.min())
    spacing = np.abs(np.subtract(one.spacing_mm, other.spacing_mm)) * count > room
    origin = np.linalg.norm(np.subtract(one.origin_lps, other.origin_lps)) > room
    turned = np.abs(one.directions - other.directions) * count * other.spacing_mm > room
    parts = {
        "size": one.size != other.size,
        "spacing": spacing.any(),
        "origin": origin,
        "direction": turned.any(),
    }
    return ", ".join(part for part, differs in parts.items() if differs) or "origin"


def lost_place(source: StoredGrid, target: StoredGrid) -> str:
    """Why a mask's place beside a CT cannot be believed, "" where it can.

    A mask cropped to its organ, or of other voxels, has another matrix than the CT. One of the CT's
    own matrix that lies elsewhere, or one whose origin is nought while the CT's is not, comes from
    a program that did not keep the header.
    """
    if same_box(source, target):
        return ""
    if sorted(source.size) == sorted(target.size):
        return "it has the CT's matrix and lies elsewhere"
    nought = np.linalg.norm(target.corners, axis=1).min() > SAME_VOXELS * min(target.spacing_mm)
    if not any(source.origin_lps) and nought:
        return "its origin is (0, 0, 0), as where a program did not keep the header"
    return ""


def lost_header(one: StoredGrid, other: StoredGrid) -> str:
    """Why two masks of one patient cannot both lie where they say, "" where they can.

    Masks cropped to their organs may be of one size at different places, and of one patient's CT
    they have its voxels' size and axes.
    """
    if same_box(one, other):
        return ""
    turned = np.abs(one.directions - other.directions).max() > RIGHT_ANGLE
    if one.size == other.size and (turned or not np.allclose(one.spacing_mm, other.spacing_mm)):
        return "one matrix, and other voxels"
    for first, second in ((one, other), (other, one)):
        nearest = np.linalg.norm(second.corners, axis=1).min()
        if not any(first.origin_lps) and nearest > SAME_VOXELS * min(second.spacing_mm):
            return "one origin is (0, 0, 0), as where a program did not keep the header"
    return ""


def same_box(one: StoredGrid, other: StoredGrid) -> bool:
    """Whether two grids whose axes are in the same order have the same voxels."""
    return one.size == other.size and _away(one, other) <= SAME_VOXELS


def _away(one: StoredGrid, other: StoredGrid) -> float:
    """Greatest distance of two corners, in voxels of the finer spacing."""
    away = np.linalg.norm(one.corners - other.corners, axis=1).max()
    return float(away) / min(*one.spacing_mm, *other.spacing_mm)


def _axis(direction: NDArray[np.float64]) -> str:
    """L, P, S and their opposites, or the three cosines."""
    k = int(np.argmax(np.abs(direction)))
    if abs(abs(direction[k]) - 1) < RIGHT_ANGLE:
        return "LPS"[k] if direction[k] > 0 else "RAI"[k]
    return "(" + ", ".join(f"{cosine:.4g}" for cosine in direction) + ")"
