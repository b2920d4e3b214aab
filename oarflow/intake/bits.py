"""Pixel values from their words, by Bits Stored, High Bit and Pixel Representation.

PS3.5 8.1.1 gives the other bits of a word no meaning: they may hold overlay graphics, copies of the
sign, or random data. Some writers violate the standard and use them for large values; a reader that
masks them then reads metal as air. The content of these bits shows which case applies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.intake.limits import MAX_GRAPHICS_SHARE, MAX_SEAM_HU, SIGN_STEP_FACTOR

Words = NDArray[np.integer]


class AmbiguousError(Exception):
    """The unused bits may be parts of the values."""


@dataclass(frozen=True)
class ValueBits:
    """Which bits of a word of `allocated` bits are the value: `stored` of them, up to `high`.

    overlays: the bits, as a mask, in which the header declares overlay graphics.
    """

    allocated: int
    stored: int
    high: int
    signed: bool
    overlays: int = 0

    @property
    def usable(self) -> bool:
        """Whether a word can hold such a value."""
        return 0 < self.stored <= self.high + 1 <= self.allocated

    @property
    def low(self) -> int:
        """The value's lowest bit."""
        return self.high + 1 - self.stored

    @property
    def value_mask(self) -> int:
        return ((1 << self.stored) - 1) << self.low

    @property
    def above_mask(self) -> int:
        """The bits above High Bit."""
        return (1 << self.allocated) - (2 << self.high)

    def wrapped(self, value: int) -> int:
        """A number of the header, such as the padding value, as these bits would store it."""
        kept = value & ((1 << self.stored) - 1)
        return kept - (1 << self.stored) if self.signed and kept >> (self.stored - 1) else kept

    def values(self, words: Words) -> Words:
        """The values of words, of the same type."""
        if self.stored == self.allocated:
            return words
        up = self.allocated - 1 - self.high
        return (words << up) >> (self.allocated - self.stored)  # the right shift copies the sign

    def read(self, words: Words, hu_per_value: float) -> tuple[Words, bool]:
        """Values of words (rows, columns), and whether unused bits hold more than copies of signs.

        words: of a type as wide as `allocated`, signed as the values. Raises AmbiguousError.
        """
        words = words.astype(self._type(signed=self.signed), copy=False)
        if self.overlays & self.value_mask:
            raise AmbiguousError("overlay graphics use bits of the values")
        values = self.values(words)
        if values is words or np.array_equal(values << self.low, words):
            return values, False
        bits = words.view(self._type(signed=False))
        beside = bool((bits & (self.overlays | self._below_mask)).any())
        foreign = self._judged(bits & ~bits.dtype.type(self.overlays), values, hu_per_value)
        return values, beside or foreign

    @property
    def _below_mask(self) -> int:
        return (1 << self.low) - 1

    def _type(self, *, signed: bool) -> np.dtype[np.integer]:
        return np.dtype(f"{'i' if signed else 'u'}{self.allocated // 8}")

    def _judged(self, bits: Words, values: Words, hu_per_value: float) -> bool:
        """Whether undeclared bits above the values are set, other than copies of their signs."""
        above = bits & self.above_mask
        copies = above.dtype.type(self.above_mask & ~self.overlays)
        negative = values < 0
        extended = np.count_nonzero(negative & (above == copies))
        bare = np.count_nonzero(negative & (above == 0))
        foreign = above != np.where(negative & (extended >= bare), copies, 0)
        grown = (bits.view(values.dtype) >> self.low).astype(np.int64)
        if foreign.any():
            seam = _MedianSteps.of(foreign, values, grown)
            changes = sum(np.count_nonzero(b) for b in _borders(np.where(foreign, above, 0)))
            filled = 0 < changes < np.count_nonzero(foreign)
            large = foreign.mean() > MAX_GRAPHICS_SHARE
            steep = seam.masked * hu_per_value > MAX_SEAM_HU or seam.masked > seam.grown
            if steep or (filled and large):
                raise AmbiguousError("values seem to continue in the bits above High Bit")
        if bare > extended:
            seam = _MedianSteps.of(negative & ~foreign, values, grown)
            if seam.masked * SIGN_STEP_FACTOR > seam.grown:
                raise AmbiguousError("values seem to be unsigned, unlike Pixel Representation")
        return bool(foreign.any())


@dataclass(frozen=True)
class _MedianSteps:
    """Median steps between a marked and an unmarked neighbour, 0 where there are none.

    masked: of the values without the unused bits. grown: of the values with these bits.
    """

    masked: float
    grown: float

    @classmethod
    def of(cls, marked: NDArray[np.bool_], values: Words, grown: NDArray[np.int64]) -> _MedianSteps:
        """Measure the steps. marked, values, grown: (rows, columns)."""
        borders = _borders(marked)
        medians = []
        for image in (values.astype(np.int64), grown):
            steps = [np.abs(np.diff(image, axis=k)[borders[k]]) for k in (0, 1)]
            found = np.concatenate(steps)
            medians.append(float(np.median(found)) if found.size else 0.0)
        return cls(*medians)


def _borders(image: NDArray[np.generic]) -> list[NDArray[np.bool_]]:
    """Where neighbours in a column, and neighbours in a row, differ."""
    return [image[1:] != image[:-1], image[:, 1:] != image[:, :-1]]
