"""The patch that a network reads: around a localization, around another organ, or everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.networks.card import ModelCard
from oarflow.networks.sampling import NetworkGrid, centred_axis
from oarflow.structures import Localization, ProbabilityField
from oarflow.types import FloatArray

ROOM_MM = 15.0
"""Least margin in mm between the localized organ and the patch's border, on each side."""

SLICE_STEP_MM = 3.0
"""Slices of the CT that an axial 2-D network reads lie at most so far apart where the CT's slices
are nearer. The networks learned from slices 2 to 5 mm apart."""

Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""First and last position in mm along (z, y, x) from the CT's voxel (0, 0, 0)."""


@dataclass(frozen=True, eq=False)
class Patch:
    """The voxels that a network reads.

    slices: the CT slices that an axial 2-D network reads, ascending; None for any other network.
    box: the part that may be contoured, if it is smaller than the patch; None for all of it.
    """

    grid: NetworkGrid
    slices: NDArray[np.intp] | None
    box: Bounds | None = None

    @property
    def every_slice(self) -> bool:
        """Whether it holds every CT slice from its first to its last."""
        return self.slices is not None and bool((np.diff(self.slices) == 1).all())

    def of_planes(self, planes: NDArray[np.intp]) -> Patch:
        """Some of the planes of a patch that has CT slices."""
        assert self.slices is not None
        grid = replace(self.grid, z_mm=self.grid.z_mm[planes])
        return replace(self, grid=grid, slices=self.slices[planes])

    def moved(self, voxels: tuple[float, float, float], card: ModelCard) -> Patch:
        """The patch shifted by some of the network's voxels (z, y, x); CT slices do not change."""
        z, y, x = (
            mm + count * step
            for mm, count, step in zip(self.grid.axes, voxels, card.spacing_mm, strict=True)
        )
        return replace(self, grid=NetworkGrid(z, y, x))


def localized_patch(
    grid: Grid, localizations: Sequence[Localization], card: ModelCard, grown_mm: float = 0.0
) -> Patch:
    """One patch around all present localizations, with at least the card's extent.

    It ends the card's margin beyond organs that the localizer saw. A place predicted from
    neighbours holds the whole organ, and gets no margin.
    grown_mm: added to its in-plane extent (2-D) or to all extents (3-D).
    """
    boxes = [localized_box(grid, item) for item in localizations]
    lows, highs = zip(*(_ends_mm(grid, item, card) for item in localizations), strict=True)
    ends = (min(lows), max(highs))
    axes = []
    for axis in range(3):
        low, high = min(box[axis][0] for box in boxes), max(box[axis][1] for box in boxes)
        needed = high - low + 2 * ROOM_MM
        extent = max(card.patch_mm[axis], needed) + grown_mm
        axes.append(_axis(card, axis, (low + high) / 2, extent))
    return _patch(grid, card, axes, ends)


def _ends_mm(grid: Grid, item: Localization, card: ModelCard) -> tuple[float, float]:
    """Heights between which a network looks for a localized organ."""
    assert item.slices is not None
    margin = 0.0 if item.by_neighbours else card.margin_mm
    first, last = (float(grid.offsets_mm[number]) for number in item.slices)
    return first - margin, last + margin


def organ_patch(grid: Grid, field: ProbabilityField, card: ModelCard) -> Patch:
    """The box of an organ's contour, grown by the card's grow_mm on all sides.

    The patch may be larger than the box, because its size is a whole number of voxels. The
    network contours only the box.
    """
    box = contour_box(grid, field, card.region_from.grow_mm)
    axes = [
        _axis(card, axis, (low + high) / 2, high - low + card.spacing_mm[axis])
        for axis, (low, high) in enumerate(box)
    ]
    patch = _patch(grid, card, axes, box[0])
    return Patch(patch.grid, patch.slices, box)


def contour_box(grid: Grid, field: ProbabilityField, grow_mm: float = 0.0) -> Bounds:
    """The outer edges of a field's mask, grown on all sides."""
    z, y, x = (
        (low - step / 2 - grow_mm, high + step / 2 + grow_mm)
        for low, high, step in zip(*grid.box_ends_mm(field.mask_box), grid.spacing_zyx, strict=True)
    )
    return z, y, x


def volume_patch(grid: Grid, card: ModelCard, bounds: Bounds | None = None) -> Patch:
    """The whole volume, or the part within bounds."""
    ends = bounds or whole_ct(grid)
    axes = [
        _axis(card, axis, (low + high) / 2, high - low + step + card.spacing_mm[axis])
        for axis, ((low, high), step) in enumerate(zip(ends, grid.spacing_zyx, strict=True))
    ]
    return _patch(grid, card, axes, ends[0])


def whole_ct(grid: Grid) -> Bounds:
    """From the CT's first voxel centre to its last."""
    z, y, x = ((float(mm[0]), float(mm[-1])) for mm in map(grid.axis_mm, range(3)))
    return z, y, x


def restricted_to(box: Bounds, grid: Grid, field: ProbabilityField) -> ProbabilityField:
    """The field with all values outside a box set to zero."""
    values = field.values.copy()
    for axis, (low, high) in enumerate(box):
        where = grid.axis_mm(axis)[field.box[axis]]
        outside = np.flatnonzero((where < low) | (where > high))
        values[(slice(None),) * axis + (outside,)] = 0
    return replace(field, values=values)


def localized_box(grid: Grid, item: Localization) -> Bounds:
    """The box of an organ that is present, where the localizer saw it."""
    assert item.centroid_lps is not None
    assert item.extent_mm is not None
    centre = grid.patient_to_axes(item.centroid_lps)
    low, high = (centre + sign * np.asarray(item.extent_mm) / 2 for sign in (-1, 1))
    z, y, x = zip(low.tolist(), high.tolist(), strict=True)
    return z, y, x


def _axis(card: ModelCard, axis: int, centre_mm: float, extent_mm: float) -> FloatArray | None:
    """A network's voxel positions along one axis; None where it reads the CT's own slices."""
    spacing = card.spacing_mm[axis]
    if spacing == 0:
        return None
    count = -(-round(extent_mm / spacing) // card.multiple) * card.multiple
    return centred_axis(centre_mm, max(count, card.multiple), spacing)


def _patch(
    grid: Grid, card: ModelCard, axes: Sequence[FloatArray | None], ends_mm: tuple[float, float]
) -> Patch:
    """ends_mm: first and last position along z of the CT's own slices to read."""
    z, y, x = axes
    assert y is not None
    assert x is not None
    if card.dimensions == 3:
        assert z is not None
        return Patch(NetworkGrid(z, y, x), None)
    slices = np.flatnonzero((grid.offsets_mm >= ends_mm[0]) & (grid.offsets_mm <= ends_mm[1]))
    slices = slices[_thinned(grid.offsets_mm[slices])]
    return Patch(NetworkGrid(grid.offsets_mm[slices], y, x), slices)


def _thinned(heights_mm: FloatArray) -> NDArray[np.intp]:
    """Fewest slices that lie at most SLICE_STEP_MM apart where possible, both ends among them."""
    kept = [0] if len(heights_mm) else []
    for k in range(1, len(heights_mm)):
        if k + 1 == len(heights_mm) or heights_mm[k + 1] - heights_mm[kept[-1]] > SLICE_STEP_MM:
            kept.append(k)
    return np.array(kept, dtype=np.intp)
