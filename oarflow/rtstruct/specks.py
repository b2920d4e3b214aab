"""Specks: outlines and holes that are too small to be written, taken out of the field, too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from oarflow.structures import ProbabilityField

_WITH_CORNERS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Speck:
    """A ring that is not written. row, column: of one of its points, in the whole slice's pixels.

    The point lies on a grid line between a pixel inside the organ and one outside it.
    """

    slice_index: int
    row: float
    column: float
    hole: bool


def without_specks(field: ProbabilityField, specks: Iterable[Speck]) -> ProbabilityField:
    """The field without the voxels of specks, and with the voxels of such holes.

    A voxel whose probability barely reaches the threshold counts wholly in the mask, while its
    outline has next to no area. The written contour is compared with the field that this returns.
    The result is the field itself where there is no speck.
    """
    values = field.values
    for speck in specks:
        if values is field.values:
            values = field.values.copy()
        z, y, x = field.offset
        plane = values[speck.slice_index - z]
        row, column = speck.row - y, speck.column - x
        pixels = [(int(f(row)), int(f(column))) for f in (np.floor, np.ceil)]
        if speck.hole:
            parts = ndimage.label(plane < field.threshold, structure=_WITH_CORNERS)[0]
        else:
            parts = ndimage.label(plane >= field.threshold)[0]
        number = max(parts[pixel] for pixel in pixels)
        plane[parts == number] = field.threshold if speck.hole else 0
    return replace(field, values=values) if values is not field.values else field
