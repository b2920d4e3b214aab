"""Evenly spaced slices, which nnU-Net takes for granted, for a CT that may have others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.sampling import paste, read_weights
from oarflow.types import FloatArray, FloatVoxels

TOLERANCE = 0.02
"""Greatest deviation of a slice from an even distance, as a share of it, that is left as it is."""


@dataclass(frozen=True, eq=False)
class EvenSlices:
    """Positions of even slices and of a CT's own, in mm; equal if the CT's are even."""

    own_mm: FloatArray
    even_mm: FloatArray
    step_mm: float

    @property
    def same(self) -> bool:
        return self.own_mm is self.even_mm

    def onto(self, hu: FloatVoxels) -> FloatVoxels:
        """Values (z, y, x) on the even slices, interpolated linearly."""
        if self.same:
            return hu
        return paste(hu, (read_weights(self.own_mm, self.even_mm, 0.0), None, None))

    def back(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Labels of the CT's own slices: those of the nearest even one."""
        if self.same:
            return labels
        nearest = np.rint((self.own_mm - self.even_mm[0]) / self.step_mm).astype(int)
        return np.ascontiguousarray(labels[np.clip(nearest, 0, len(self.even_mm) - 1)])

    def rows(self, weights: FloatArray) -> FloatArray:
        """(own, n) from (even, n) weights: linear between the even slices."""
        if self.same:
            return weights
        return np.asarray(read_weights(self.even_mm, self.own_mm, 0.0) @ weights)


def even_slices(own_mm: FloatArray) -> EvenSlices:
    """own_mm: (n,) ascending positions of the slices."""
    count = len(own_mm)
    if count == 1:
        return EvenSlices(own_mm, own_mm, 1.0)
    step = float(np.median(np.diff(own_mm)))
    even = own_mm[0] + np.arange(count) * step
    if float(np.abs(own_mm - even).max()) <= TOLERANCE * step:
        return EvenSlices(own_mm, own_mm, step)
    length = round((own_mm[-1] - own_mm[0]) / step) + 1
    return EvenSlices(own_mm, own_mm[0] + np.arange(length) * step, step)
