"""Masks at a coarser resolution, and morphology of masks by shifted copies.

scipy's binary morphology is slower on whole CTs than the logical operations here: see
docs/explanation/decisions/chain.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.types import Mask

BLOCK_MM = 4.0
"""Edge of a block of pixels."""

IN_SLICES = np.zeros((3, 3, 3), dtype=np.bool_)
IN_SLICES[1] = ndimage.generate_binary_structure(2, 1)
"""Structure for labels of each slice on its own."""

CACHED_VOXELS = 2**18
"""Voxels of a mask that are dilated at a time: they stay in the processor's cache."""

Blocks = tuple[int, int]
"""Rows and columns of a block."""


def blocks_of(grid: Grid) -> Blocks:
    """The blocks of a CT's slices: one pixel where the pixels are as large."""
    rows, columns = (max(1, min(15, round(BLOCK_MM / step))) for step in grid.spacing_yx)
    return rows, columns


def in_voxels(length_mm: float, grid: Grid, blocks: Blocks) -> tuple[int, int, int]:
    """A length in slices, rows and columns of blocks."""
    z, y, x = grid.spacing_zyx
    rows, columns = y * blocks[0], x * blocks[1]
    return int(length_mm / z), round(length_mm / rows), round(length_mm / columns)


def block_counts(mask: Mask, blocks: Blocks) -> NDArray[np.uint8]:
    """(z, y, x) number of voxels of a mask in each block of a slice; at most 255.

    Blocks at the far ends may be cut.
    """
    rows, columns = blocks
    height, width = (
        -(-size // step) * step for size, step in zip(mask.shape[1:], blocks, strict=True)
    )
    padding = ((0, 0), (0, height - mask.shape[1]), (0, width - mask.shape[2]))
    values = np.pad(mask, padding).view(np.uint8)
    down = sum((values[:, row::rows] for row in range(1, rows)), values[:, ::rows].copy())
    across = (down[:, :, column::columns] for column in range(1, columns))
    return np.asarray(sum(across, down[:, :, ::columns].copy()))


def from_blocks(coarse: Mask, blocks: Blocks, shape: tuple[int, int, int]) -> Mask:
    """A mask of blocks on the voxels of `shape`."""
    rows, columns = blocks
    fine = np.repeat(np.repeat(coarse, columns, axis=2), rows, axis=1)
    return fine[:, : shape[1], : shape[2]]


def eroded(mask: Mask, radii: tuple[int, int, int]) -> Mask:
    """Erosion by an octagon of these radii (z, y, x) in voxels; the array's edges erode nothing."""
    return ~dilated(~mask, radii)


def dilated(mask: Mask, radii: tuple[int, int, int]) -> Mask:
    """Dilation by an octagon of these radii in voxels, stacked along z."""
    deep, *in_plane = radii
    result = mask.copy()
    for _ in range(deep):
        result = _spread(result, (0,))
    if any(in_plane):
        count = max(1, CACHED_VOXELS // max(1, mask[:1].size))
        for first in range(0, len(mask), count):
            part = slice(first, first + count)
            result[part] = _dilated_slices(result[part], in_plane)
    return result


def opened(mask: Mask, radii: tuple[int, int, int]) -> Mask:
    """Opening by that octagon."""
    return dilated(eroded(mask, radii), radii) & mask


def _dilated_slices(mask: Mask, radii: Sequence[int]) -> Mask:
    """Dilation of each slice by an octagon of these radii (rows, columns)."""
    for step in range(max(radii)):
        axes = [axis for axis, radius in enumerate(radii, start=1) if step < radius]
        if step % 2:  # a square, after a cross
            for axis in axes:
                mask = _spread(mask, (axis,))
        else:
            mask = _spread(mask, axes)
    return mask


def _spread(mask: Mask, axes: Iterable[int]) -> Mask:
    """A mask with its direct neighbours along some axes."""
    grown = mask.copy()
    for axis in axes:
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        last = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        grown[first] |= mask[last]
        grown[last] |= mask[first]
    return grown


def filled_across(mask: Mask, axis: int) -> Mask:
    """A mask with the holes of each of its planes across an axis; open at the planes' edges."""
    structure = np.zeros((3, 3, 3), dtype=bool)
    middle = tuple(1 if a == axis else slice(None) for a in range(3))
    structure[middle] = ndimage.generate_binary_structure(2, 1)
    labels, _ = ndimage.label(~mask, structure)
    outside = np.zeros(labels.max() + 1, dtype=bool)
    for other in {0, 1, 2} - {axis}:
        for edge in (0, -1):
            outside[np.take(labels, edge, axis=other)] = True
    outside[0] = False
    return ~outside[labels]


def filled_slices(mask: Mask) -> Mask:
    """A mask with the holes of each slice. Faster than `filled_across` where slices are empty."""
    filled = mask.copy()
    for plane in filled:
        rows, columns = plane.any(axis=1).nonzero()[0], plane.any(axis=0).nonzero()[0]
        if rows.size:
            part = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            labels, count = ndimage.label(np.pad(~part, 1, constant_values=True))
            if count > 1:
                part |= labels[1:-1, 1:-1] > 1  # the first label is that of the corner: outside
    return filled
