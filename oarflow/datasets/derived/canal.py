"""SpinalCanal: what lies between the spinal cord and the vertebrae's bone around it."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.types import Mask, Spacing

BONE_HU = 180.0
"""Halfway between the canal's contents and cortical bone as 4 mm voxels show it."""

ANGLES = 48

STEP_MM = 0.5
"""Between samples along a ray."""

RADIUS_MM = (3.5, 17.0)
"""A canal's wall is looked for between these distances from the cord's centre."""

WINDOW_MM = 12.0
"""Gaps at discs and foramina are filled with the median over so much of the canal up and down."""

WINDOW_ANGLES = 5
"""and over so many rays to either side."""

OUTLIER_MM = 3.5
"""Bone farther than the neighbourhood's median by this was met through a gap."""

FINE = 4
"""Sub-pixels along each axis; a pixel belongs to the canal where half of them do."""

LEAST_BONE = 0.35
"""Share of rays that must meet bone around a slice and its neighbours, or it is left out."""


def canal(ct: NDArray[np.int16], cord: Mask, spacing: Spacing) -> Mask:
    """bool (z, y, x): the canal at the levels where the cord was drawn; empty where no bone is.

    From the cord's centre in each slice (smoothed along z) 48 rays run outward to the first bone
    (over 180 HU, read linearly between voxels) within 3.5 to 17 mm. Rays that meet none, or meet it
    3.5 mm farther than the median of the rays within 12 mm up and down and 5 to either side, take
    that median. The polygon of the rays' ends, smoothed by a median, is the canal.
    """
    inside = np.zeros(ct.shape, dtype=bool)
    levels = np.flatnonzero(cord.any(axis=(1, 2)))
    if levels.size < 5:
        return inside
    first, last = int(levels[0]), int(levels[-1])
    centres = _centres(cord, levels, first, last)
    radii = _to_bone(ct[first : last + 1], centres, spacing)
    reach = max(1, round(WINDOW_MM / spacing[0]))
    met = ndimage.uniform_filter1d(np.isfinite(radii).mean(axis=1), 2 * reach + 1)
    walls = _without_gaps(radii, reach)
    for number, level in enumerate(range(first, last + 1)):
        if met[number] >= LEAST_BONE and np.isfinite(walls[number]).all():
            inside[level] = _polygon(walls[number], centres[number], ct.shape[1:], spacing)
    return inside


def _centres(cord: Mask, levels: NDArray[np.intp], first: int, last: int) -> NDArray[np.float64]:
    """(levels, 2): the cord's (y, x) in voxels from first to last, smoothed over five slices."""
    drawn = np.array([np.argwhere(cord[level]).mean(axis=0) for level in levels])
    every = np.arange(first, last + 1)
    centres = np.stack([np.interp(every, levels, drawn[:, axis]) for axis in (0, 1)], axis=1)
    return np.asarray(ndimage.median_filter(centres, size=(5, 1), mode="nearest"))


def _directions() -> NDArray[np.float64]:
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _to_bone(
    ct: NDArray[np.int16], centres: NDArray[np.float64], spacing: Spacing
) -> NDArray[np.float64]:
    """(levels, rays): mm from the centre to bone; nan where a ray meets none."""
    distances = np.arange(RADIUS_MM[0], RADIUS_MM[1] + STEP_MM, STEP_MM)
    offsets = _directions()[:, None, :] * distances[None, :, None] / np.asarray(spacing[1:])
    where = centres[:, None, None, :] + offsets[None]
    level = np.broadcast_to(np.arange(len(ct))[:, None, None], where.shape[:3])
    values = ndimage.map_coordinates(
        ct.astype(np.float32), [level, where[..., 0], where[..., 1]], order=1, mode="nearest"
    )
    bone = values > BONE_HU
    return np.where(bone.any(axis=2), distances[bone.argmax(axis=2)], np.nan)


def _without_gaps(radii: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Radii with gaps and outliers replaced by their neighbourhood's median, then smoothed."""
    for outliers in (False, True):
        median = _median(radii, reach)
        replaced = ~np.isfinite(radii)
        if outliers:
            replaced |= radii > median + OUTLIER_MM
        radii = np.where(replaced, median, radii)
    return _median(radii, max(1, reach // 3), 2)


def _median(
    radii: NDArray[np.float64], reach: int, angles: int = WINDOW_ANGLES
) -> NDArray[np.float64]:
    padded = np.pad(radii, ((reach, reach), (0, 0)), constant_values=np.nan)
    padded = np.pad(padded, ((0, 0), (angles, angles)), mode="wrap")
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * angles + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(views, axis=(2, 3)))


def _polygon(
    radii: NDArray[np.float64],
    centre: NDArray[np.float64],
    shape: tuple[int, ...],
    spacing: Spacing,
) -> Mask:
    """bool (y, x): pixels with at least half of their area nearer the centre than the wall."""
    inside = np.zeros(shape, dtype=bool)
    window = []
    axes = []
    for size, middle, step in zip(shape, centre, spacing[1:], strict=True):
        room = RADIUS_MM[1] / step + 1
        low, high = max(0, int(middle - room)), min(size, int(middle + room) + 2)
        window.append(slice(low, high))
        axes.append(((np.arange((high - low) * FINE) + 0.5) / FINE - 0.5 + low - middle) * step)
    dy, dx = np.meshgrid(*axes, indexing="ij")
    ray = np.arctan2(dy, dx) / (2 * np.pi) * ANGLES
    wall = np.interp(ray, np.arange(ANGLES), radii, period=ANGLES)
    fine = (np.hypot(dy, dx) <= wall).reshape(len(dy) // FINE, FINE, -1, FINE)
    inside[tuple(window)] = fine.mean(axis=(1, 3)) >= 0.5
    return inside
