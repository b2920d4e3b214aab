"""Overlaps of two organs: how large they are, and which organ keeps the voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField, Segmentation

JUST_OUTSIDE = np.float32(1e-4)
"""A voxel that another organ keeps gets a probability this far below the threshold."""

SLIVER_SHARE = 0.5
"""A slice at an organ's end is dropped if another organ took more than this share of it: the rest
is a crescent around that organ, not a cross-section."""


def settled(
    grid: Grid, segmentations: Sequence[Segmentation], precedence: Sequence[str]
) -> tuple[Segmentation, ...]:
    """The segmentations without overlaps between the organs of `precedence`.

    The earlier organ keeps the common voxels: the later organ's surface moves to the earlier one's,
    and its notes state the lost volume. The later organ also loses slices at its ends if the
    earlier one took most of their area. An organ that would lose everything does not change.
    """
    done: dict[str, Segmentation] = {item.organ: item for item in segmentations}
    for place, organ in enumerate(precedence):
        for earlier in precedence[:place]:
            if organ in done and earlier in done:
                done[organ] = _yielded(grid, done[organ], done[earlier])
    return tuple(done[item.organ] for item in segmentations)


def overlaps(fields: Mapping[str, ProbabilityField], organ: str) -> dict[str, float]:
    """By other organ, the share of this organ's voxels that both contain."""
    own = fields[organ]
    count = int(np.count_nonzero(own.mask))
    found = {
        other: own.shared_voxels(field) / count for other, field in fields.items() if other != organ
    }
    return {other: share for other, share in found.items() if share > 0}


def _yielded(grid: Grid, item: Segmentation, winner: Segmentation) -> Segmentation:
    if item.field is None or winner.field is None:
        return item
    both = item.field.common_part(winner.field)
    if both is None:
        return item
    mine, theirs = both
    values = item.field.values.copy()
    taken = winner.field.mask[theirs]
    # Where the winner is sure, the loser's values are far below the level: the surfaces meet.
    cap = item.field.threshold + winner.field.threshold - winner.field.values[theirs]
    lowered = np.minimum(values[mine], np.maximum(cap - JUST_OUTSIDE, 0))
    values[mine] = np.where(taken, lowered, values[mine])
    field = replace(item.field, values=values)
    before, after = item.field.mask, field.mask
    if not after.any() or np.array_equal(before, after):
        return item
    lost = item.field.volume_cc(grid) - field.volume_cc(grid)
    notes = [*item.notes, f"{lost:.2f} cc shared with {winner.organ} went to {winner.organ}"]
    slivers = end_slivers(before.sum(axis=(1, 2)), after.sum(axis=(1, 2)))
    if slivers:
        whole, field = field, _without_planes(field, slivers)
        left = whole.volume_cc(grid) - field.volume_cc(grid)
        notes.append(
            f"{left:.2f} cc left over on {len(slivers)} slice(s) at its end were dropped, since "
            f"{winner.organ} took most of them"
        )
    return replace(item.with_field(field, grid), notes=tuple(notes))


def _without_planes(field: ProbabilityField, planes: Sequence[int]) -> ProbabilityField:
    values = field.values.copy()
    values[list(planes)] = 0
    return replace(field, values=values)


def end_slivers(before: NDArray[np.int_], after: NDArray[np.int_]) -> tuple[int, ...]:
    """Planes at both ends that hold only a small remainder; none if all planes would go.

    before, after: (z,) voxels of the organ on each plane, before and after the overlap is settled.
    """
    left = np.flatnonzero(after)
    found: set[int] = set()
    for way in (left, left[::-1]):
        for plane in way.tolist():
            if before[plane] - after[plane] <= SLIVER_SHARE * before[plane]:
                break
            found.add(plane)
    return tuple(sorted(found)) if len(found) < len(left) else ()
