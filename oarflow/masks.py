"""Measurements of masks: bounding box, volume, Dice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oarflow.types import Box, Mask, Spacing


def bounding_box(mask: Mask, margin_voxels: Sequence[int] = (0, 0, 0)) -> Box:
    """The smallest box (z, y, x) around a mask, wider by a margin on each side.

    The box is cut at the array's edges. Raises ValueError where the mask is empty.
    """
    used = [np.flatnonzero(mask.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
    if not used[0].size:
        raise ValueError("an empty mask has no bounding box")
    z, y, x = (
        slice(max(0, int(at[0]) - margin), min(size, int(at[-1]) + 1 + margin))
        for at, margin, size in zip(used, margin_voxels, mask.shape, strict=True)
    )
    return z, y, x


def volume_cc(mask: Mask, spacing_zyx: Spacing) -> float:
    """Volume of a mask in cm3. spacing_zyx: of its voxels, in mm."""
    return float(np.count_nonzero(mask)) * float(np.prod(spacing_zyx)) / 1000


def dice_of_sizes(both: float, one: float, other: float) -> float:
    """Dice from the sizes of the common part and of both regions; 1 for two empty regions."""
    return float(2 * both / (one + other)) if one + other else 1.0


def common_part(one: Box, other: Box) -> tuple[Box, Box] | None:
    """Where two boxes of one array overlap, in the indices of each; None where they do not."""
    mine, theirs = [], []
    for a, b in zip(one, other, strict=True):
        low, high = max(a.start, b.start), min(a.stop, b.stop)
        if low >= high:
            return None
        mine.append(slice(low - a.start, high - a.start))
        theirs.append(slice(low - b.start, high - b.start))
    return (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2])
