"""From a CT in the network's axes to the network's input: the part that is read, and its values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.imported.card import ImportedCard, IntensityNormalization
from oarflow.networks.imported.resampling import Shape
from oarflow.types import Box, FloatVoxels, Triple, triple

LEAST_STD = 1e-8

SAME_SPACING_MM = 1e-3
"""Greatest difference of spacings at which MONAI keeps an axis as it is."""


@dataclass(frozen=True)
class ReadRegion:
    """The part of a CT that the network's program reads, in the network's axes.

    box: voxels of the CT without borders of exactly 0 where edges coincide, as nnU-Net cuts them;
    else all voxels. spacing_mm: of the CT. target_mm, shape: of the network's voxels for the whole
    box.
    """

    box: Box
    spacing_mm: Triple
    target_mm: Triple
    shape: Shape

    @property
    def size(self) -> Shape:
        """Voxels of the CT in the box."""
        z, y, x = (side.stop - side.start for side in self.box)
        return z, y, x


def read_region(values: NDArray[np.float32], spacing_mm: Triple, card: ImportedCard) -> ReadRegion:
    """The part of a CT, in the network's axes, that the network's program reads."""
    align = card.image_resampling.align
    if align == "first":
        return _from_first_voxel(values.shape, spacing_mm, card.spacing_mm)
    box = _filled(values) if align == "edges" else _whole(values.shape)
    target = (card.spacing_mm[0] or spacing_mm[0], card.spacing_mm[1], card.spacing_mm[2])
    z, y, x = (
        max(1, round(old / new * (side.stop - side.start)))
        for old, new, side in zip(spacing_mm, target, box, strict=True)
    )
    return ReadRegion(box, spacing_mm, target, (z, y, x))


def _from_first_voxel(shape: tuple[int, ...], spacing_mm: Triple, wanted_mm: Triple) -> ReadRegion:
    """As many voxels as MONAI's Spacing makes."""
    target = triple(
        own if abs(own - wanted) <= SAME_SPACING_MM else wanted
        for own, wanted in zip(spacing_mm, wanted_mm, strict=True)
    )
    z, y, x = (
        round((size - 1) * own / new + 1)
        for size, own, new in zip(shape, spacing_mm, target, strict=True)
    )
    return ReadRegion(_whole(shape), spacing_mm, target, (z, y, x))


def _whole(shape: tuple[int, ...]) -> Box:
    z, y, x = (slice(0, size) for size in shape)
    return z, y, x


def _filled(values: NDArray[np.float32]) -> Box:
    """The smallest box that holds every value except 0; everything if all values are 0."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        used = np.flatnonzero((values != 0).any(axis=others))
        sides.append(slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, None))
    ends = zip(sides, values.shape, strict=True)
    z, y, x = (slice(*side.indices(size)[:2]) for side, size in ends)
    return z, y, x


def normalized(values: FloatVoxels, rule: IntensityNormalization) -> FloatVoxels:
    """The network's input values of a whole image (3 axes) in HU, in single precision."""
    if rule.scheme in ("ct", "linear"):
        result = np.array(values, dtype=np.float32)
        if rule.scheme == "ct":
            np.clip(result, np.float32(rule.low), np.float32(rule.high), out=result)
        result -= np.float32(rule.mean)
        result /= np.float32(max(rule.std, LEAST_STD))
        return result
    result = values.astype(np.float32)
    if rule.scheme == "zscore":
        mean, std = result.mean(), result.std()
        result -= mean
        result /= max(std, np.float32(LEAST_STD))
    elif rule.scheme == "range":
        result -= result.min()
        result /= max(result.max(), np.float32(LEAST_STD))
    return result
