"""A patient's labels, each held by the block that it fills, not by an array of the CT's size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.masks import bounding_box
from oarflow.types import Box, Mask

MARGIN = 1
"""Empty voxels kept about a label, so that it falls off to its sides when it is read linearly."""


@dataclass(frozen=True, eq=False)
class LabelBlock:
    """A mask without most of its emptiness.

    inside: bool (z, y, x), a block that holds every voxel. first: (z, y, x) index of the block's
    first voxel in the mask. extent: the mask's shape.
    """

    inside: Mask
    first: tuple[int, int, int]
    extent: tuple[int, int, int]

    @classmethod
    def of(cls, mask: Mask) -> LabelBlock:
        """Raises ValueError where the mask is empty."""
        z, y, x = box = bounding_box(mask, (MARGIN,) * 3)
        depth, height, width = mask.shape
        return cls(mask[box].copy(), (z.start, y.start, x.start), (depth, height, width))

    @property
    def box(self) -> Box:
        """Where the block lies in the mask."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.first, self.inside.shape, strict=True))
        return z, y, x

    @property
    def indices(self) -> NDArray[np.int64]:
        """(voxels, 3): z, y, x of every voxel in the mask."""
        return np.argwhere(self.inside) + self.first

    def whole(self) -> Mask:
        """The mask itself, anew at each call."""
        mask = np.zeros(self.extent, dtype=bool)
        mask[self.box] = self.inside
        return mask

    def cut(self, box: Box) -> LabelBlock:
        """What lies in a box of the mask; the block stays."""
        kept = np.zeros_like(self.inside)
        moved = tuple(
            slice(max(0, part.start - a), max(0, part.stop - a))
            for part, a in zip(box, self.first, strict=True)
        )
        kept[moved] = self.inside[moved]
        return LabelBlock(kept, self.first, self.extent)


class Labels(Mapping[str, Mask]):
    """Masks by organ, made whole at each access; `block` gives an organ's as it is held.

    Masks without a voxel are left out.
    """

    def __init__(self, masks: Mapping[str, Mask]) -> None:
        read = ((organ, masks[organ]) for organ in masks)
        self._blocks = {organ: LabelBlock.of(mask) for organ, mask in read if mask.any()}

    def block(self, organ: str) -> LabelBlock:
        """Raises KeyError where the organ is not labelled."""
        return self._blocks[organ]

    def __getitem__(self, organ: str) -> Mask:
        return self._blocks[organ].whole()

    def __contains__(self, organ: object) -> bool:
        return organ in self._blocks

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)
