"""The lumen of trachea and main bronchi, followed slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.rules.blocks import dilated
from oarflow.types import FloatVoxels, Mask

AIR_HU = -500.0
"""Half-way between air and soft tissue: the surface of a lumen."""

PURE_HU = -950.0
"""The lumen of a trachea lies below this, inflated lung above, but for emphysema."""

LUMEN_MM2 = (30.0, 650.0)
"""Cross-section of a trachea's or main bronchus's lumen."""

GROWTH, GROWTH_LEAST_MM2 = 1.6, 100.0
"""Air that grows by more than this factor from slice to slice has met a lung through a thin wall.
Smaller lumens may grow as much as one of the second figure."""

RIM_MM = 4.0
"""A lumen moves by about this much from slice to slice."""

FORK_WIDTH, FORK_LEAST_MM = 2.1, 24.0
"""The lumen ends above the carina: below, it is wider than deep by more than the first figure."""

STRAY_MM, SEEK_MM = 20.0, 15.0
"""The lumen begins within these distances, in the slice and under the larynx, from its centre."""

BRONCHI_MM = 45.0
"""Main bronchi are followed so far below the carina."""

BENEATH_SHARE = 0.5
"""The CT ends under an organ if less of its lowest slice lies over the body in the next."""

Plane = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Lumen:
    """The lumens that were found.

    trachea, bronchi: bool (z, y, x). carina: lowest slice above the fork; None where the scan, or a
    CT that was masked to a part of the body, ends above it. lost: whether the airway ends before.
    """

    trachea: Mask
    bronchi: Mask
    carina: int | None
    lost: bool


@dataclass(frozen=True, eq=False)
class Airway:
    """The air of a CT. hu: float32 (z, y, x). body: bool, with its cavities."""

    hu: FloatVoxels
    body: Mask
    grid: Grid

    def lumen(self, start: int, centre: tuple[float, float]) -> Lumen | None:
        """The lumen from a slice down; None where none of a trachea's size begins there.

        centre: (row, column) near which it begins.
        """
        seed = self._seed(start, centre)
        if seed is None:
            return None
        level, plane = seed
        trachea, bronchi = np.zeros(self.hu.shape, bool), np.zeros(self.hu.shape, bool)
        trachea[level] = plane
        while not ends_under(plane, self.body, level):
            parts = self._next(level - 1, plane)
            if not parts or self._forks(parts):
                self._follow_bronchi(bronchi, level, plane)
                return Lumen(trachea, bronchi, level, not parts and not bronchi.any())
            level, plane = level - 1, np.any(parts, axis=0)
            trachea[level] = plane
        return Lumen(trachea, bronchi, None, lost=False)

    def _seed(self, start: int, centre: tuple[float, float]) -> tuple[int, Plane] | None:
        offsets = self.grid.offsets_mm
        for level in range(start, -1, -1):
            if offsets[start] - offsets[level] > SEEK_MM:
                return None
            away = [(self._away(part, centre), part) for part in self._sized(level)]
            if away and (nearest := min(away, key=lambda pair: pair[0]))[0] <= STRAY_MM:
                return level, nearest[1]
        return None

    def _sized(self, level: int) -> list[Plane]:
        """Parts of a slice's air that have a lumen's cross-section."""
        air = (self.hu[level] < AIR_HU) & self.body[level]
        return [part for part in _parts(air) if LUMEN_MM2[0] <= self._mm2(part) <= LUMEN_MM2[1]]

    def _next(self, level: int, plane: Plane) -> list[Plane]:
        """The lumen's parts in the next slice down.

        Air that touches the lumen's rim only, in the esophagus or a lung's edge, is none of them
        where some lies right under the lumen.
        """
        parts = list(self._below(level, plane, plane))
        return [part for part in parts if (part & plane).any()] or parts

    def _below(self, level: int, plane: Plane, kept: Plane | None = None) -> Iterator[Plane]:
        """Parts of a slice's air that continue a lumen of the slice above.

        A part that is too large has met a lung through a thin wall: only the pure air near the
        lumen belongs to it, and the air in `kept`.
        """
        margin = [round(6 * RIM_MM / step) for step in self.grid.spacing_yx]
        _, rows, columns = bounding_box(plane[None], (0, *margin))
        window = (rows, columns)
        above, hu = plane[window], self.hu[level][window]
        near = self._grown(above, RIM_MM)
        most = GROWTH * max(self._mm2(above), GROWTH_LEAST_MM2)
        for found in _parts((hu < AIR_HU) & self.body[level][window]):
            if not (found & near).any():
                continue
            part = found
            if self._mm2(found) > most:
                pure = near & (hu < PURE_HU)
                part = _largest(found & (pure if kept is None else pure | kept[window]))
            if LUMEN_MM2[0] <= self._mm2(part) <= LUMEN_MM2[1]:
                whole = np.zeros_like(plane)
                whole[window] = part
                yield whole

    def _forks(self, parts: Sequence[Plane]) -> bool:
        """Whether the lumen is in two parts side by side, or too wide for its depth."""
        if len(parts) > 1:
            first, second = (np.argwhere(part).mean(axis=0) for part in parts[:2])
            away = np.abs(first - second) * self.grid.spacing_yx
            if len(parts) > 2 or away[1] > away[0]:
                return True
        _, rows, columns = bounding_box(np.any(parts, axis=0)[None])
        depth = (rows.stop - rows.start) * self.grid.spacing_yx[0]
        width = (columns.stop - columns.start) * self.grid.spacing_yx[1]
        return bool(width > FORK_WIDTH * depth and width > FORK_LEAST_MM)

    def _follow_bronchi(self, bronchi: Mask, carina: int, plane: Plane) -> None:
        """Write what continues the lumen below its fork."""
        above = [plane]
        for level in range(carina - 1, -1, -1):
            if self.grid.offsets_mm[carina] - self.grid.offsets_mm[level] > BRONCHI_MM:
                return
            above = [part for one in above for part in self._below(level, one)]
            if not above:
                return
            bronchi[level] = np.any(above, axis=0)
            above = list(_parts(bronchi[level]))

    def _grown(self, part: Plane, length_mm: float) -> Plane:
        height, width = (max(1, round(length_mm / step)) for step in self.grid.spacing_yx)
        grown: Plane = dilated(part[None], (0, height, width))[0]
        return grown

    def _mm2(self, part: Plane) -> float:
        return int(np.count_nonzero(part)) * self.grid.spacing_yx[0] * self.grid.spacing_yx[1]

    def _away(self, part: Plane, centre: tuple[float, float]) -> float:
        away = (np.argwhere(part).mean(axis=0) - centre) * self.grid.spacing_yx
        return float(np.hypot(*away))


def ends_under(plane: Plane, body: Mask, level: int) -> bool:
    """Whether the CT ends under a part of a slice: with the scan, or masked to the body's rest."""
    return level == 0 or bool(body[level - 1][plane].mean() < BENEATH_SHARE)


def _parts(plane: Plane) -> Iterator[Plane]:
    labels, count = ndimage.label(plane)
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        part = np.zeros_like(plane)
        part[box] = labels[box] == number
        yield part


def _largest(plane: Plane) -> Plane:
    labels, _ = ndimage.label(plane)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    chosen: Plane = (labels == sizes.argmax()) & plane
    return chosen
