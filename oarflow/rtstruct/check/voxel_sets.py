"""Two voxel sets of one region on the same images, and the distance between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from oarflow.rtstruct.check.headers import SliceHeader
from oarflow.rtstruct.scanline import Window

SPECK_PIXELS = 3
"""Greatest size, in pixels, of a part on a slice that may be missing. Where the field hardly
exceeds its threshold, the outline is too small to be written. Dice and volume count such parts."""

_TOUCHING = np.ones((3, 3), dtype=bool)
_CROSS = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True, eq=False)
class SlicePair:
    """Expected and filled voxels on one image. wanted, filled: bool of the window's shape."""

    header: SliceHeader
    window: Window
    wanted: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    voxel_mm3: float


def hausdorff_mm(pairs: Sequence[SlicePair]) -> float:
    """Hausdorff distance of the two sets of voxel centres, in mm; infinite where one is empty."""
    if all(np.array_equal(pair.wanted, pair.filled) for pair in pairs):
        return 0.0
    return max(
        _furthest(pairs, of_wanted=True),
        _furthest(pairs, of_wanted=False),
    )


def _furthest(pairs: Sequence[SlicePair], *, of_wanted: bool) -> float:
    """Greatest distance from a voxel in only one set to the other set's nearest voxel."""
    lone, rim = [], []
    for pair in pairs:
        one, other = (pair.wanted, pair.filled) if of_wanted else (pair.filled, pair.wanted)
        missing = one & ~other
        lone.append(_centres(pair, missing & ~_specks(one, other) if of_wanted else missing))
        rim.append(_centres(pair, other & ~ndimage.binary_erosion(other, _CROSS)))
    points, targets = np.concatenate(lone), np.concatenate(rim)
    if not len(points):
        return 0.0
    if not len(targets):
        return float("inf")
    distances, _ = cKDTree(targets).query(points)
    return float(np.max(distances))


def _specks(wanted: NDArray[np.bool_], filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Parts of a slice's mask that are specks and completely missing."""
    labels, count = ndimage.label(wanted, structure=_TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    hit = np.bincount(labels.ravel(), weights=filled.ravel(), minlength=count + 1) > 0
    small = (sizes <= SPECK_PIXELS) & ~hit
    small[0] = False
    return np.asarray(small[labels])


def _centres(pair: SlicePair, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    pixels = np.argwhere(mask) + np.array((pair.window.row, pair.window.column))
    return pair.header.to_patient(pixels.astype(np.float64))
