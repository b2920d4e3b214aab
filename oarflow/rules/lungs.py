"""Left and right lung: the air of the chest without the airway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.rules.blocks import (
    Blocks,
    block_counts,
    blocks_of,
    dilated,
    eroded,
    filled_slices,
    from_blocks,
    in_voxels,
    opened,
)
from oarflow.rules.lumen import ends_under
from oarflow.types import FloatVoxels, Mask

LUNG_HU = -400.0
"""Half-way between inflated lung and soft tissue: the surface of a lung."""

RAMP_HU = 1000.0
"""The probability grows from 0 to 1 over this range about the surface."""

DEEP_MM = 3.0
"""Air nearer to the skin is outside, or in folds of it."""

WALL_MM = 2.0
"""The airway's wall, which belongs to no lung."""

LEAST_CC, WHOLE_CC = 8.0, 200.0
"""Least volume of a piece of lung that the CT's lower end cuts, and of one that ends above it."""

ASIDE_MM = 18.0
"""The middle of a piece lies at least so far from the midline: gas in the esophagus is nearer."""

VESSEL_MM = 6.0
"""Vessels up to twice this thickness belong to a lung."""

SHARE_MERGED = (0.15, 0.85)
"""A piece with such a share on the patient's left is both lungs in one."""


@dataclass(frozen=True, eq=False)
class Lungs:
    """left, right: bool (z, y, x). merged: whether only the midline parts the two."""

    left: Mask
    right: Mask
    merged: bool


def find_lungs(hu: FloatVoxels, body: Mask, airway: Mask, grid: Grid, midline_x: float) -> Lungs:
    """Left and right lung; empty masks where there is none.

    body: bool, cavities filled. airway: lumen of trachea and main bronchi. midline_x: column; the
    patient's left has higher columns.
    """
    blocks = blocks_of(grid)
    deep = eroded(body, (0, *_pixels(DEEP_MM, grid)))
    wall = dilated(airway, (0, *_pixels(WALL_MM, grid)))
    air = (hu < LUNG_HU) & deep & ~wall
    half = (blocks[0] * blocks[1] + 1) // 2
    coarse = block_counts(air, blocks) >= half
    held = block_counts(body, blocks) >= half
    pieces = _lung_pieces(coarse, held, grid, blocks, midline_x)
    sides, merged = _parted(pieces, grid, blocks, midline_x / blocks[1])
    left, right = (_refined(sides == side, air, deep & ~wall, grid, blocks) for side in (1, 2))
    return Lungs(left, right & ~left, merged)


def lung_values(hu: NDArray[np.float32], lung: Mask) -> FloatVoxels:
    """float32 (z, y, x): 0.5 at the surface of a lung, where the HU are half-way to tissue."""
    rim = dilated(lung, (0, 1, 1))
    inner = eroded(lung, (0, 1, 1))
    values = np.empty(hu.shape, dtype=np.float32)
    for k, plane in enumerate(values):
        np.clip(0.5 + (LUNG_HU - hu[k]) / RAMP_HU, 0.0, 1.0, out=plane)
        within, air = lung[k], hu[k] < LUNG_HU
        np.copyto(plane, 1.0, where=inner[k] | (within & ~air))
        np.copyto(plane, 0.0, where=~rim[k] | (air & ~within))
    return values


def _pixels(length_mm: float, grid: Grid) -> tuple[int, int]:
    rows, columns = (round(length_mm / step) for step in grid.spacing_yx)
    return rows, columns


def _lung_pieces(coarse: Mask, body: Mask, grid: Grid, blocks: Blocks, midline_x: float) -> Mask:
    """The pieces of air that are lung, in blocks."""
    thin = in_voxels(4.0, grid, blocks)
    labels, count = ndimage.label(opened(coarse, (0, *thin[1:])))
    kept = np.zeros(count + 1, dtype=bool)
    area = blocks[0] * blocks[1] * grid.spacing_yx[0] * grid.spacing_yx[1] / 1000
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        part = labels[box] == number
        volume = float(part.sum(axis=(1, 2)) @ grid.slice_thickness_mm[box[0]]) * area
        lowest = box[0].start
        cut = ends_under(labels[lowest] == number, body, lowest)
        columns = np.nonzero(part)[2] + box[2].start
        aside = abs(np.median(columns) * blocks[1] - midline_x) * grid.spacing_yx[1]
        wide = volume >= WHOLE_CC
        kept[number] = volume >= (LEAST_CC if cut else WHOLE_CC) and (wide or aside >= ASIDE_MM)
    found = kept[labels]
    for _ in range(2):  # what the opening took off the rims
        found = dilated(found, (0, 1, 1)) & coarse
    return found


def _parted(
    pieces: Mask, grid: Grid, blocks: Blocks, midline: float
) -> tuple[NDArray[np.uint8], bool]:
    """1 left, 2 right, 0 neither, and whether the midline alone parts a piece of both."""
    sides = np.zeros(pieces.shape, dtype=np.uint8)
    columns = np.arange(pieces.shape[2])
    labels, count = ndimage.label(pieces)
    merged = False
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        part = labels[box] == number
        on_left = columns[box[2]] >= midline
        share = _share(part, on_left)
        if not SHARE_MERGED[0] < share < SHARE_MERGED[1]:
            sides[box][part] = 1 if share >= 0.5 else 2
            continue
        seeds = _seeds(part, on_left, grid, blocks)
        if seeds is None:
            merged = True
            sides[box][part] = np.where(np.broadcast_to(on_left, part.shape), 1, 2)[part]
        else:
            sides[box][part] = _nearest(seeds, grid, blocks)[part]
    return sides, merged


def _share(part: Mask, on_left: NDArray[np.bool_]) -> float:
    per_column = part.sum(axis=(0, 1))
    return float(per_column[on_left].sum() / per_column.sum())


def _seeds(
    part: Mask, on_left: NDArray[np.bool_], grid: Grid, blocks: Blocks
) -> NDArray[np.uint8] | None:
    """Cores of both sides, once the bridge between them is eroded; None where it is too thick."""
    core = part
    for _ in range(6):
        core = eroded(np.pad(core, ((0, 0), (1, 1), (1, 1))), (0, 1, 1))[:, 1:-1, 1:-1]
        labels, count = ndimage.label(core)
        seeds = np.zeros(part.shape, dtype=np.uint8)
        both = False
        for number in range(1, count + 1):
            piece = labels == number
            share = _share(piece, on_left)
            both |= SHARE_MERGED[0] < share < SHARE_MERGED[1]
            seeds[piece] = 1 if share >= 0.5 else 2
        if not both and (seeds == 1).any() and (seeds == 2).any():
            return seeds
    return None


def _nearest(seeds: NDArray[np.uint8], grid: Grid, blocks: Blocks) -> NDArray[np.uint8]:
    """The side of the nearest seed of each block."""
    z, y, x = grid.spacing_zyx
    spacing = (z, y * blocks[0], x * blocks[1])
    at = ndimage.distance_transform_edt(
        seeds == 0, sampling=spacing, return_distances=False, return_indices=True
    )
    return np.asarray(seeds[tuple(at)])


def _refined(side: Mask, air: Mask, room: Mask, grid: Grid, blocks: Blocks) -> Mask:
    """A lung on the CT's own voxels, with its vessels."""
    near = from_blocks(dilated(side, (0, 1, 1)), blocks, air.shape)
    lung = air & near
    reach = (0, *_pixels(VESSEL_MM, grid))
    closed = lung | (eroded(dilated(lung, reach), reach) & room)
    return filled_slices(closed) & room
