"""Processing of a segmentation in three dimensions before it is contoured.

Small islands are dropped. Empty slices between others are found and, if requested, filled. All
changes are returned for the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.types import FloatArray

_TOUCHING = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Dropped:
    """Dropped islands: their number and volume in cm3."""

    count: int = 0
    volume_cc: float = 0.0


NONE_DROPPED = Dropped()


def without_islands(
    field: ProbabilityField, grid: Grid, minimum_cc: float
) -> tuple[ProbabilityField, Dropped]:
    """Clear the parts of a mask smaller than `minimum_cc`, never the largest one.

    Parts are separate if no voxels touch, not even by a corner. If nothing is dropped, the result
    is the field itself.
    """
    if minimum_cc <= 0:
        return field, NONE_DROPPED
    labels, count = ndimage.label(field.mask, structure=_TOUCHING)
    if count < 2:
        return field, NONE_DROPPED
    volumes = _volumes_cc(labels, field, grid, count)
    small = volumes < minimum_cc
    small[np.argmax(volumes)] = False
    if not small.any():
        return field, NONE_DROPPED
    values = field.values.copy()
    values[np.concatenate(([False], small))[labels]] = 0
    return replace(field, values=values), Dropped(int(small.sum()), float(volumes[small].sum()))


def _volumes_cc(
    labels: NDArray[np.signedinteger], field: ProbabilityField, grid: Grid, count: int
) -> FloatArray:
    """(count,) volume of each labelled part, with each slice's thickness."""
    height, width = grid.spacing_yx
    volumes = np.zeros(count)
    for plane, thickness in zip(labels, grid.slice_thickness_mm[field.box[0]], strict=True):
        voxels = np.bincount(plane.ravel(), minlength=count + 1)[1:]
        volumes += voxels * (height * width * thickness / 1000.0)
    return volumes


def gaps(filled: NDArray[np.bool_]) -> tuple[int, ...]:
    """Indices of empty slices with filled ones on both sides. filled: (z,)."""
    present = np.flatnonzero(filled)
    if not len(present):
        return ()
    missing = np.flatnonzero(~filled)
    return tuple(int(k) for k in missing[(missing > present[0]) & (missing < present[-1])])


def with_gaps_filled(
    field: ProbabilityField, grid: Grid, most_slices: int
) -> tuple[ProbabilityField, tuple[int, ...]]:
    """Interpolate runs of at most `most_slices` empty slices from their two neighbours.

    The surface is linear between the neighbours' outlines (signed distances, weighted by the
    slices' positions). Returns the field and the CT slices that were filled. A gap stays empty if
    its neighbours do not overlap enough.
    """
    filled = field.mask.any(axis=(1, 2))
    values = field.values
    done: list[int] = []
    present = np.flatnonzero(filled)
    for below, above in pairwise(present.tolist()):
        if not 1 < above - below <= most_slices + 1:
            continue
        if values is field.values:
            values = field.values.copy()
        ends = [_signed_distance(field.mask[k], grid) for k in (below, above)]
        offsets = grid.offsets_mm[field.box[0]]
        for k in range(below + 1, above):
            part = (offsets[k] - offsets[below]) / (offsets[above] - offsets[below])
            distance = (1 - part) * ends[0] + part * ends[1]
            values[k] = _as_probability(distance, field.threshold, min(grid.spacing_yx))
            if (values[k] >= field.threshold).any():
                done.append(k + field.offset[0])
    return (replace(field, values=values) if done else field), tuple(done)


def _signed_distance(mask: NDArray[np.bool_], grid: Grid) -> FloatArray:
    """Distance from the mask's boundary in mm, positive inside; all is outside beyond the array."""
    padded = np.pad(mask, 1)
    inner = ndimage.distance_transform_edt(padded, sampling=grid.spacing_yx)
    outer = ndimage.distance_transform_edt(~padded, sampling=grid.spacing_yx)
    return np.asarray(inner - outer)[1:-1, 1:-1]


def _as_probability(distance_mm: FloatArray, threshold: float, pixel_mm: float) -> FloatArray:
    """A ramp over two pixels that reaches the threshold at distance 0, clipped to 0..1."""
    return np.clip(threshold + distance_mm / (2 * pixel_mm), 0.0, 1.0)
