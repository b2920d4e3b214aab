"""Trachea and lungs: the air below the larynx."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from oarflow.datasets.derived.voxels import NEIGHBOURS, deep, filled, grown, largest, room_around
from oarflow.masks import bounding_box
from oarflow.types import Mask, Spacing

AIR_HU = -500.0
"""Halfway between air and soft tissue: where the lumen's surface lies."""

PURE_HU = -950.0
"""A trachea's lumen lies below this, inflated lung above, but for emphysema."""

LUNG_HU = -400.0

Air = NDArray[np.uint8]
"""0 tissue, 1 air (lung as well), 2 pure air."""

PURE = 2

LUMEN_CM2 = (0.3, 6.5)
"""Cross-section of a trachea's lumen at 4 mm, just above the carina included."""

STRAY_MM = 20.0
"""How far the lumen under the larynx lies from its centre at most."""

BEFORE_CORD_MM = 50.0
"""The lumen in the neck lies about so far before the spinal cord's centre."""

GROWTH = 1.6
"""Air that grows by more from slice to slice has met a lung through a thin wall."""

FORK_WIDTH = 2.1
"""The lumen ends above the carina: below, it is wider than deep by more than this."""

WALL_MM = 2.0
"""The wall belongs to the trachea: the lumen is grown by this much."""

BOTTOM_MM = 16.0
"""The lungs are cut by a head-and-neck scan: they reach its lowest part."""

DEEP_MM = 3.0
"""Air nearer to the skin is outside, or in folds of it."""

LEAST_LUNG_CC = 8.0

BRONCHI_MM = 45.0
"""Main bronchi are followed so far below the trachea's end."""


@dataclass(frozen=True, eq=False)
class Airways:
    """bool (z, y, x) each; None where the rule cannot tell, empty where the organ is not seen.

    carina: the slice below which the trachea forks; None where the scan ends above it.
    """

    trachea: Mask | None
    lung_l: Mask
    lung_r: Mask
    carina: int | None


def airways(
    ct: NDArray[np.int16],
    body: Mask,
    spacing: Spacing,
    *,
    cord: Mask,
    larynx: Mask | None = None,
) -> Airways:
    """Trachea and lungs of one patient.

    body: holes filled. cord: the spinal cord's contour, not empty; its midline parts left (higher
    x) from right. larynx: its contour, whose lowest slice is the trachea's upper
    end; without it the trachea is not derived, but its lumen is still kept out of the lungs.

    Trachea: the air component (below -500 HU) nearest to the midline under the larynx, followed
    slice by slice downward (where it grows 1.6-fold it has met a lung: air in the outline of the
    slice above is kept, and air below -950 HU within a voxel of it) to the slice above the carina:
    below, the lumen is in two parts beside each other or more than 2.1 times as wide as deep. Grown
    by 2 mm for the wall. It runs to the scan's end where the carina is not seen.

    Lungs: tissue below -400 HU without the lumen, its wall and the main bronchi (followed as the
    lumen is, 45 mm below the carina), in components that reach the lowest 16 mm of the scan once
    thin bridges are opened, parted at the midline and filled slice by slice, which takes the
    vessels in.
    """
    air = ((ct < AIR_HU).astype(np.uint8) + (ct < PURE_HU)) * body.view(np.uint8)
    _, row, midline_x = (float(middle) for middle in np.median(np.argwhere(cord), axis=0))
    seed = _under_larynx(air, larynx, midline_x, spacing) if larynx is not None else None
    known = seed is not None
    if seed is not None:
        lumen, carina = _lumen(air, seed, spacing)
    else:
        before_spine = row - BEFORE_CORD_MM / spacing[1]
        lumen, carina = _longest_lumen(air, body, (before_spine, midline_x), spacing)
    bronchi = _bronchi(air, lumen, carina, spacing)
    wall = grown(lumen, WALL_MM + 1.0, spacing) | grown(bronchi, WALL_MM, spacing)
    lung_l, lung_r = _lungs(ct, body, wall, spacing, midline_x)
    trachea = grown(lumen, WALL_MM, spacing) & body & ~(lung_l | lung_r)
    levels = lumen.any(axis=(1, 2))
    trachea[~levels] = False
    return Airways(trachea if known else None, lung_l, lung_r, carina)


def _under_larynx(
    air: Air, larynx: Mask, midline_x: float, spacing: Spacing
) -> tuple[int, Mask] | None:
    levels = np.flatnonzero(larynx.any(axis=(1, 2)))
    if levels.size == 0:
        return None
    lowest = int(levels[0])
    centre = np.argwhere(larynx[lowest]).mean(axis=0)
    for level in range(lowest - 1, max(lowest - 5, 0), -1):
        plane = _nearest(air[level], (float(centre[0]), midline_x), spacing, STRAY_MM)
        if plane is not None:
            return level, plane
    return None


def _longest_lumen(
    air: Air, body: Mask, centre: tuple[float, float], spacing: Spacing
) -> tuple[Mask, int | None]:
    """A lumen to keep out of the lungs, where no larynx says where it begins.

    The longest that is found from the narrowest slice of the neck down: air closes and opens again
    between pharynx and trachea.
    """
    area = body.sum(axis=(1, 2))
    used = np.flatnonzero(area)
    lower = used[: len(used) * 2 // 3]
    best, carina, level = np.zeros(air.shape, dtype=bool), None, int(lower[area[lower].argmin()])
    while level > used[0]:
        plane = _nearest(air[level], centre, spacing, 2 * STRAY_MM)
        if plane is not None:
            lumen, end = _lumen(air, (level, plane), spacing)
            if lumen.any(axis=(1, 2)).sum() > best.any(axis=(1, 2)).sum():
                best, carina = lumen, end
            level = int(np.flatnonzero(lumen.any(axis=(1, 2)))[0])
        level -= 1
    return best, carina


def _nearest(
    air: Air, centre: tuple[float, float], spacing: Spacing, reach_mm: float
) -> Mask | None:
    """The air component of a slice whose centre lies nearest, of a lumen's size; None without."""
    labels, count = ndimage.label(air > 0)
    best, found = reach_mm, None
    for number in range(1, count + 1):
        part = labels == number
        area = part.sum() * spacing[1] * spacing[2] / 100
        away = (np.argwhere(part).mean(axis=0) - centre) * spacing[1:]
        distance = float(np.hypot(*away))
        if LUMEN_CM2[0] <= area <= LUMEN_CM2[1] and distance < best:
            best, found = distance, part
    return found


def _lumen(air: Air, seed: tuple[int, Mask] | None, spacing: Spacing) -> tuple[Mask, int | None]:
    """The lumen from its upper end down, and the slice above the fork, where that is seen."""
    lumen = np.zeros(air.shape, dtype=bool)
    if seed is None:
        return lumen, None
    level, plane = seed
    lumen[level] = plane
    while level > 0:
        parts = _next(air[level - 1], plane, spacing)
        if not parts or _forks(parts, spacing):
            return lumen, level if air[level - 1].any() else None
        level, plane = level - 1, np.any(parts, axis=0)
        lumen[level] = plane
    return lumen, None


def _next(air: Air, plane: Mask, spacing: Spacing) -> list[Mask]:
    """The lumen's parts in the next slice down.

    Air that touches the lumen's rim only, in the esophagus or a lung's edge, is none of them where
    some lies right under the lumen. A lumen is so nearly upright that, where it has met a lung, it
    keeps the air within its outline, besides the pure air.
    """
    parts = _below(air, plane, spacing, plane)
    return [part for part in parts if (part & plane).any()] or parts


def _below(air: Air, plane: Mask, spacing: Spacing, kept: Mask | None = None) -> list[Mask]:
    """Parts of a slice's air that carry on a lumen of the slice above, each of a lumen's size.

    A part that is too large has met a lung through a thin wall: only the pure air within a voxel
    of the lumen above belongs to it, and what lies in `kept`.
    """
    near = ndimage.binary_dilation(plane, NEIGHBOURS[0])
    labels, _ = ndimage.label(air > 0)
    parts = []
    for number in set(np.unique(labels[near])) - {0}:
        part = labels == number
        if part.sum() > GROWTH * max(plane.sum(), 6):
            pure = near & (air == PURE)
            part = largest((part & (pure if kept is None else pure | kept))[None])[0]
        area = part.sum() * spacing[1] * spacing[2] / 100
        if LUMEN_CM2[0] <= area <= LUMEN_CM2[1]:
            parts.append(part)
    return parts


def _forks(parts: list[Mask], spacing: Spacing) -> bool:
    """Whether the lumen is in two that lie beside each other, or is too wide for its depth."""
    if len(parts) > 1:
        first, second = (np.argwhere(part).mean(axis=0) for part in parts[:2])
        away = np.abs(first - second) * spacing[1:]
        if len(parts) > 2 or away[1] > away[0]:
            return True
    rows, columns = np.nonzero(np.any(parts, axis=0))
    depth = (np.ptp(rows) + 1) * spacing[1]
    width = (np.ptp(columns) + 1) * spacing[2]
    return bool(width > FORK_WIDTH * depth and width > 24.0)


def _bronchi(air: Air, lumen: Mask, carina: int | None, spacing: Spacing) -> Mask:
    """Main bronchi: what carries the lumen on below the fork, slice by slice."""
    bronchi = np.zeros(air.shape, dtype=bool)
    if carina is None:
        return bronchi
    above = [lumen[carina]]
    for level in range(carina - 1, max(carina - 1 - int(BRONCHI_MM / spacing[0]), -1), -1):
        above = [part for plane in above for part in _below(air[level], plane, spacing)]
        if not above:
            break
        bronchi[level] = np.any(above, axis=0)
        labels, count = ndimage.label(bronchi[level])
        above = [labels == number for number in range(1, count + 1)]
    return bronchi


def _lungs(
    ct: NDArray[np.int16], body: Mask, airway: Mask, spacing: Spacing, midline_x: float
) -> tuple[Mask, Mask]:
    """Left and right lung."""
    air = (ct < LUNG_HU) & deep(body, DEEP_MM, spacing) & ~airway
    labels, _ = ndimage.label(_without_bridges(air), NEIGHBOURS)
    used = np.flatnonzero(body.any(axis=(1, 2)))
    bottom = labels[used[0] : used[0] + max(2, round(BOTTOM_MM / spacing[0]))]
    sizes = np.bincount(labels.ravel()) * np.prod(spacing) / 1000
    kept = [number for number in np.unique(bottom) if number and sizes[number] >= LEAST_LUNG_CC]
    both = np.isin(labels, kept)
    if not both.any():
        return both, both.copy()
    left_side = np.zeros(both.shape, dtype=bool)
    left_side[:, :, int(np.ceil(midline_x)) :] = True
    left, right = _parted(both, left_side, spacing)
    return _smooth(left, body, airway, right, spacing), _smooth(right, body, airway, left, spacing)


def _without_bridges(air: Mask) -> Mask:
    """The air opened by one voxel; the scan's lowest slice does not end it."""
    return np.asarray(ndimage.binary_opening(np.pad(air, 1, mode="edge"))[1:-1, 1:-1, 1:-1])


def _parted(both: Mask, left_side: Mask, spacing: Spacing) -> tuple[Mask, Mask]:
    """Each component to the side of its cores; one that spans the midline is parted between."""
    box = bounding_box(both)
    left, right = np.zeros_like(both), np.zeros_like(both)
    left[box], right[box] = _parted_in_box(both[box], left_side[box], spacing)
    return left, right


def _parted_in_box(both: Mask, left_side: Mask, spacing: Spacing) -> tuple[Mask, Mask]:
    depth = ndimage.distance_transform_edt(both, sampling=spacing)
    core = depth > 0.35 * depth.max()
    labels, count = ndimage.label(core, NEIGHBOURS)
    seeds = np.zeros(both.shape, dtype=np.int32)
    for number in range(1, count + 1):
        part = labels == number
        share = left_side[part].mean()
        if 0.2 < share < 0.8:
            seeds[part & left_side], seeds[part & ~left_side] = 1, 2
        else:
            seeds[part] = 1 if share >= 0.5 else 2
    rest, count = ndimage.label(both, NEIGHBOURS)
    for number in range(1, count + 1):
        part = rest == number
        if not seeds[part].any():
            seeds[part] = 1 if left_side[part].mean() >= 0.5 else 2
    sides = watershed(-depth, seeds, mask=both)  # type: ignore[no-untyped-call]
    return np.asarray(sides == 1), np.asarray(sides == 2)


def _smooth(lung: Mask, body: Mask, airway: Mask, other: Mask, spacing: Spacing) -> Mask:
    """Vessels in, the rest as it is; the largest part."""
    whole = np.zeros_like(lung)
    if not lung.any():
        return whole
    box = room_around(lung, 3 * spacing[1], spacing)
    closed = np.stack([ndimage.binary_closing(plane, iterations=2) for plane in lung[box]])
    whole[box] = largest(filled(closed | lung[box]) & (body & ~airway & ~other)[box])
    return whole
