"""Brain: the soft tissue that the skull encloses, down to the foramen magnum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.datasets.derived.voxels import filled, grown, largest, shrunk
from oarflow.masks import bounding_box, volume_cc
from oarflow.types import Mask, Spacing

BONE_HU = 180.0
SOFT_HU = (-40.0, 150.0)

DIRECTIONS = 16
"""Rays in the axial plane from each voxel."""

ENCLOSED = 11
"""Rays that must meet bone: at 4 mm the plates of the orbits and the skull's base let some by."""

SMOOTHED = 3
"""Voxels each way over which the count of rays is a median: single rays find gaps in thin bone."""

REACH_MM = 130.0
"""Bone farther away does not enclose."""

CORE_MM = 7.0
"""The brain's core keeps this distance from everything that is not soft, which closes the
foramina of the vessels and nerves."""

FORAMEN_CM2 = 10.0
"""Going down, the brain ends above the first slice with less than this: the foramen magnum
measures 7 to 9 cm2, the posterior fossa right above it more."""

LEAST_CC = 20.0
"""Less is no brain: the scan ends at the skull's base."""


def brain(ct: NDArray[np.int16], body: Mask, spacing: Spacing, below: int = 0) -> Mask:
    """bool (z, y, x): the brain with brainstem and cerebellum, empty where there is none.

    Soft voxels (-40 to 150 HU) from which at least 11 of 16 axial rays meet bone (over 180 HU)
    within 130 mm, in the median of 3 x 3 x 3 voxels, are enclosed. Of these the core, 7 mm from
    anything else, is taken in its largest component above slice `below` (near the upper end of the
    spinal cord), grown back, cut at the foramen magnum, smoothed by 3 mm and filled slice by slice.
    body: holes filled.
    """
    whole = np.zeros(ct.shape, dtype=bool)
    head = body.copy()
    head[: max(below, 0)] = False
    if head.any():
        box = bounding_box(head)
        whole[box] = _enclosed_by_skull(ct[box], head[box], spacing)
    return whole


def _enclosed_by_skull(ct: NDArray[np.int16], body: Mask, spacing: Spacing) -> Mask:
    bone = ct > BONE_HU
    soft = (ct > SOFT_HU[0]) & (ct < SOFT_HU[1]) & body
    rays = ndimage.median_filter(_rays_that_meet(bone, spacing), size=SMOOTHED)
    inside = soft & (rays >= ENCLOSED)
    found = grown(largest(shrunk(inside, CORE_MM, spacing)), CORE_MM + 2.0, spacing) & inside
    area = found.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
    narrow = np.flatnonzero(area[: int(area.argmax())] < FORAMEN_CM2)
    if narrow.size:
        found[: narrow[-1] + 1] = False
    found = shrunk(grown(found, 3.0, spacing), 3.0, spacing) & ~bone & body
    found = largest(filled(found) & body)
    too_little = volume_cc(found, spacing) < LEAST_CC
    return np.zeros_like(found) if too_little else found


def _rays_that_meet(bone: Mask, spacing: Spacing) -> NDArray[np.uint8]:
    """(z, y, x): how many of the rays from each voxel, in its slice, meet bone."""
    step = min(spacing[1:])
    reach = int(REACH_MM / step)
    count = np.zeros(bone.shape, dtype=np.uint8)
    for number in range(DIRECTIONS):
        angle = 2 * np.pi * number / DIRECTIONS
        met = np.zeros(bone.shape, dtype=bool)
        last = None
        for distance in range(1, reach + 1):
            shift = (
                round(distance * step * np.sin(angle) / spacing[1]),
                round(distance * step * np.cos(angle) / spacing[2]),
            )
            if shift != last:
                _or_shifted(met, bone, shift)
            last = shift
        count += met
    return count


def _or_shifted(met: Mask, bone: Mask, shift: tuple[int, int]) -> None:
    """met |= bone as seen from `shift` (y, x) voxels before it."""
    here: list[slice] = []
    there: list[slice] = []
    for offset, size in zip(shift, bone.shape[1:], strict=True):
        if abs(offset) >= size:
            return
        here.append(slice(max(0, -offset), min(size, size - offset)))
        there.append(slice(max(0, offset), min(size, size + offset)))
    met[:, here[0], here[1]] |= bone[:, there[0], there[1]]
