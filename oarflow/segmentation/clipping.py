"""Organs clipped to the body's outline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField, Segmentation

EXTERNAL = "External"

JUST_OUTSIDE = np.float32(1e-4)
"""A voxel outside the body gets a probability this far below the threshold, or less."""


def clipped(item: Segmentation, body: Segmentation, grid: Grid) -> Segmentation:
    """An organ without the part outside External. Its surface there is the body's.

    An organ inside External does not change, nor one that lies outside as a whole: its flags and a
    person decide. Notes state the lost volume.
    """
    if item.field is None or body.field is None or item.organ == EXTERNAL:
        return item
    field = _within(item.field, body.field)
    if field is item.field or not field.mask.any():
        return item
    lost = item.field.volume_cc(grid) - field.volume_cc(grid)
    notes = (*item.notes, f"{lost:.2f} cc outside External were clipped")
    return replace(item.with_field(field, grid), notes=notes)


def _within(field: ProbabilityField, body: ProbabilityField) -> ProbabilityField:
    inside = np.zeros(field.values.shape, dtype=np.float32)
    both = field.common_part(body)
    if both is not None:
        mine, theirs = both
        inside[mine] = body.values[theirs]
    outside = inside < body.threshold
    if not (outside & field.mask).any():
        return field
    cap = np.maximum(field.threshold + inside - body.threshold - JUST_OUTSIDE, 0.0)
    return replace(field, values=np.where(outside, np.minimum(field.values, cap), field.values))
