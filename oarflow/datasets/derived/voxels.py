"""Morphology in millimetres on (z, y, x) masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.masks import bounding_box
from oarflow.types import Mask, Spacing

LEAST_SECTION_CM2 = 60.0
"""No neck or head has a smaller cross-section, but for the last slices of the vertex."""

JUMP = 0.67
"""Cross-sections of neighbouring slices of an uncut patient do not differ more."""

NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def grown(mask: Mask, radius_mm: float, spacing: Spacing) -> Mask:
    """All voxels within radius_mm of the mask."""
    whole = np.zeros(mask.shape, dtype=bool)
    if mask.any():
        box = room_around(mask, radius_mm, spacing)
        whole[box] = ndimage.distance_transform_edt(~mask[box], sampling=spacing) <= radius_mm
    return whole


def shrunk(mask: Mask, radius_mm: float, spacing: Spacing) -> Mask:
    """The mask's voxels farther than radius_mm from all others. The array's edge is no end."""
    whole = np.zeros(mask.shape, dtype=bool)
    if mask.all():
        return mask.copy()
    if mask.any():
        box = room_around(mask, 1.0, spacing)
        padded = np.pad(mask[box], 1, mode="edge")
        distance = ndimage.distance_transform_edt(padded, sampling=spacing)
        whole[box] = distance[1:-1, 1:-1, 1:-1] > radius_mm
    return whole


def largest(mask: Mask) -> Mask:
    """The largest of the mask's components (26 neighbours)."""
    labels, count = ndimage.label(mask, NEIGHBOURS)
    if count == 0:
        return mask.copy()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def filled(mask: Mask) -> Mask:
    """The mask with the holes of each axial slice filled."""
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def whole_slices(body: Mask, spacing: Spacing) -> tuple[int, int]:
    """First and last slice of the longest stretch that was published across the whole patient.

    A CT that was cut to a region, or to strips around single organs, changes its cross-section
    abruptly (by over a third from slice to slice) or is small (under 60 cm2).
    """
    area = body.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
    best, first = (0, -1), 0
    for number in range(len(area) + 1):
        ends = number == len(area) or area[number] < LEAST_SECTION_CM2
        before = area[number - 1] if number > first else None
        jumps = not ends and before and not JUMP < area[number] / before < 1 / JUMP
        if ends or jumps:
            if number - first > best[1] - best[0] + 1:
                best = (first, number - 1)
            first = number + 1 if ends else number
    return best


def room_around(mask: Mask, radius_mm: float, spacing: Spacing) -> tuple[slice, slice, slice]:
    """The box of a mask with room for radius_mm on all sides, within the array."""
    z, y, x = (
        slice(max(0, part.start - pad), part.stop + pad)
        for part, pad in (
            (part, int(np.ceil(radius_mm / step)) + 1)
            for part, step in zip(bounding_box(mask), spacing, strict=True)
        )
    )
    return z, y, x


def deep(body: Mask, margin_mm: float, spacing: Spacing) -> Mask:
    """The body's voxels at least margin_mm from its edge along the rows and columns of a slice."""
    inner = body.view(np.uint8)
    for axis in (1, 2):
        size = 2 * int(np.ceil(margin_mm / spacing[axis])) + 1
        inner = ndimage.minimum_filter1d(inner, size, axis=axis, mode="constant")
    return np.asarray(inner.astype(np.bool_))


def cut_slices(mask: Mask, body: Mask, margin_mm: float, spacing: Spacing) -> NDArray[np.intp]:
    """Slices in which the mask comes closer than margin_mm to what was not published.

    body: where the CT was published, holes filled. What lies deep in a patient comes so close to
    the end of the CT only where the CT was cut.
    """
    return np.flatnonzero((mask & ~deep(body, margin_mm, spacing)).any(axis=(1, 2)))
