"""Masks of blocks, whose figures can be worked out by hand."""

from __future__ import annotations

import numpy as np

UNIT = (1.0, 1.0, 1.0)
EMPTY = np.zeros((4, 5, 6), dtype=bool)


def block(z: slice, y: slice, x: slice, shape: tuple[int, int, int] = (20, 20, 20)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[z, y, x] = True
    return mask


ONE = block(slice(1, 2), slice(1, 3), slice(1, 3), EMPTY.shape)
