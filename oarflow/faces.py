"""The six faces of a CT, and which of them cut an organ."""

from __future__ import annotations

from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField, Side
from oarflow.types import Triple

FACES = (
    (Side.INFERIOR, Side.SUPERIOR),
    (Side.ANTERIOR, Side.POSTERIOR),
    (Side.RIGHT, Side.LEFT),
)
"""Low and high face along each axis (z, y, x) of an axial volume."""

NEAR_FACE_MM = 9.0
"""A face that the localizer saw the organ cross cuts the contour if it ends this close to it."""


def reached_faces(
    grid: Grid, low_mm: Triple, high_mm: Triple, within_mm: Triple
) -> frozenset[Side]:
    """Faces that lie at most within_mm, along each axis, from the ends of a box.

    low_mm, high_mm: the box's ends along the grid's axes (z, y, x), in mm from voxel (0, 0, 0).
    """
    reached = set()
    for axis, (low_face, high_face) in enumerate(FACES):
        extent = grid.axis_mm(axis)
        if low_mm[axis] - extent[0] <= within_mm[axis]:
            reached.add(low_face)
        if extent[-1] - high_mm[axis] <= within_mm[axis]:
            reached.add(high_face)
    return frozenset(reached)


def cut_sides(
    field: ProbabilityField, grid: Grid, localized: frozenset[Side] = frozenset()
) -> frozenset[Side]:
    """Faces of the CT that cut an organ.

    A face counts if the mask's outermost voxels touch it, or if the mask ends within `NEAR_FACE_MM`
    of a face that the localizer saw the organ cross (localized): networks stop short near the end
    of a scan.

    Raises ValueError where the mask is empty.
    """
    low, high = grid.box_ends_mm(field.mask_box)
    touched = reached_faces(grid, low, high, (0.0, 0.0, 0.0))
    near = reached_faces(grid, low, high, (NEAR_FACE_MM,) * 3)
    return touched | (near & localized)
