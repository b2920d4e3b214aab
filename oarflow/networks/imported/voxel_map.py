"""A CT's voxels and a network's, related by one matrix for each axis and direction.

The matrices do what the resampling of the network's program does, for any part of either grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oarflow.geometry import Grid
from oarflow.networks.imported.card import Alignment, ImportedCard, SplineResampling
from oarflow.networks.imported.even import EvenSlices, even_slices
from oarflow.networks.imported.orientation import AxisOrder, grid_orientation
from oarflow.networks.imported.preprocessing import ReadRegion, read_region
from oarflow.networks.imported.resampling import axis_matrices, positions
from oarflow.networks.sampling import Weights, read_weights
from oarflow.types import Box, FloatArray, FloatVoxels

Bounds = Sequence[tuple[float, float]]
"""First and last position in mm along (z, y, x) from the CT's voxel (0, 0, 0)."""

NEGLIGIBLE_WEIGHT = 1e-5
"""Voxels of the CT with smaller weights are not read: a spline's weights never end."""


@dataclass(frozen=True, eq=False)
class VoxelMap:
    """Matrices by the CT's axes (z, y, x). Network indices run in the network's direction.

    axes: the network's order of axes. into: (network, CT). back: (CT, network). centres_mm: of the
    network's voxels, from the CT's voxel (0, 0, 0). inside: the CT's voxels that the
    network's program reads.
    """

    axes: AxisOrder
    region: ReadRegion
    into: tuple[Weights, Weights, Weights]
    back: tuple[Weights, Weights, Weights]
    centres_mm: tuple[FloatArray, FloatArray, FloatArray]
    inside: Box

    @property
    def shape(self) -> tuple[int, int, int]:
        """The network's voxels along (z, y, x) of the CT."""
        z, y, x = (len(centres) for centres in self.centres_mm)
        return z, y, x

    def network_box(self, bounds: Bounds) -> Box:
        """The network's voxels between bounds; at least the nearest one."""
        sides = []
        for centres, (low, high) in zip(self.centres_mm, bounds, strict=True):
            within = np.flatnonzero((centres >= low) & (centres <= high))
            if not len(within):
                within = np.array([np.abs(centres - (low + high) / 2).argmin()])
            sides.append(slice(int(within[0]), int(within[-1]) + 1))
        z, y, x = sides
        return z, y, x

    def ct_box(self, box: Box) -> Box:
        """The CT's voxels between the centres of a box of the network's voxels, and around it."""
        sides = []
        for matrix, side, inside in zip(self.back, box, self.inside, strict=True):
            used = np.flatnonzero(matrix[inside, side].any(axis=1)) + inside.start
            sides.append(slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0))
        z, y, x = sides
        return z, y, x

    def read_rows(self, box: Box) -> tuple[tuple[Weights, Weights, Weights], Box]:
        """The matrices into a box of the network's voxels, and the CT's voxels that they read."""
        rows, columns = [], []
        for matrix, side in zip(self.into, box, strict=True):
            used = np.flatnonzero((np.abs(matrix[side]) > NEGLIGIBLE_WEIGHT).any(axis=0))
            columns.append(slice(int(used[0]), int(used[-1]) + 1))
            rows.append(np.ascontiguousarray(matrix[side, columns[-1]]))
        (z, y, x), (cz, cy, cx) = rows, columns
        return (z, y, x), (cz, cy, cx)


def voxel_map(
    values: FloatVoxels, grid: Grid, card: ImportedCard, orientation: str | None = None
) -> VoxelMap:
    """values: HU (z, y, x). orientation: instead of the card's."""
    axes = AxisOrder.between(
        grid_orientation(grid), orientation or card.orientation, card.transpose
    )
    even = even_slices(grid.offsets_mm)
    steps = (even.step_mm, *grid.spacing_yx)
    lengths = (len(even.even_mm), *grid.shape[1:])
    region = read_region(axes.into(even.onto(values)), axes.lengths(steps), card)
    forward = axis_matrices(
        region.size, region.shape, region.spacing_mm, region.target_mm, card.image_resampling
    )
    backward = axis_matrices(
        region.shape, region.size, region.target_mm, region.spacing_mm, _smooth(card)
    )
    parts: list[tuple[Weights, Weights, FloatArray, slice]] = [None] * 3  # type: ignore[list-item]
    for place, axis in enumerate(axes.order):
        parts[axis] = _along(
            forward[place],
            backward[place],
            (region.box[place], region.shape[place]),
            lengths[axis],
            steps[axis],
            align=card.image_resampling.align,
            ratio=region.target_mm[place] / region.spacing_mm[place],
            flipped=place in axes.flipped,
            even=even if axis == 0 else None,
        )
    (z, y, x) = parts
    return VoxelMap(
        axes,
        region,
        (z[0], y[0], x[0]),
        (z[1], y[1], x[1]),
        (z[2], y[2], x[2]),
        (z[3], y[3], x[3]),
    )


def _smooth(card: ImportedCard) -> SplineResampling:
    """How logits return to the CT: at least linearly, for surfaces between voxels."""
    rule = card.logits_resampling
    return rule.model_copy(update={"order": max(1, rule.order)})


def _along(
    forward: FloatArray | None,
    backward: FloatArray | None,
    side: tuple[slice, int],
    length: int,
    step_mm: float,
    *,
    align: Alignment,
    ratio: float,
    flipped: bool,
    even: EvenSlices | None,
) -> tuple[Weights, Weights, FloatArray, slice]:
    """Both matrices of one axis of the CT, the network's centres, and the CT's range."""
    box, count = side
    size = box.stop - box.start
    into, back = np.zeros((count, length)), np.zeros((length, count))
    into[:, box] = np.eye(size) if forward is None else forward
    back[box] = np.eye(size) if backward is None else backward
    index = positions(size, count, align=align, ratio=ratio) + box.start
    inside = box
    if flipped:
        into, back, index = into[:, ::-1], back[::-1], length - 1 - index
        inside = slice(length - box.stop, length - box.start)
    if even is not None and not even.same:
        first, last = even.even_mm[inside.start], even.even_mm[inside.stop - 1]
        own = np.flatnonzero(
            (even.own_mm >= first - step_mm / 2) & (even.own_mm <= last + step_mm / 2)
        )
        inside = slice(int(own[0]), int(own[-1]) + 1)
        into = into @ read_weights(even.own_mm, even.even_mm, 0.0)
        back = even.rows(back)
    return into.astype(np.float32), back.astype(np.float32), index * step_mm, inside
