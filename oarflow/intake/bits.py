"""Values of pixels from their words, by Bits Stored, High Bit and Pixel Representation.

PS3.5 8.1.1 gives the other bits of a word no meaning: overlay graphics may lie there, or a sign's
copies, or remains. Some writers let values grow into them, against the standard: a reader that
follows it would then take metal for air. What is found there tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.intake.limits import MAX_SEAM_HU

Words = NDArray[np.integer]


class AmbiguousError(Exception):
    """The bits beside the values may be parts of the values."""


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
        return (words << up) >> (self.allocated - self.stored)  # the second one copies the sign

    def read(self, words: Words, hu_per_value: float) -> tuple[Words, bool]:
        """Values of words (rows, columns), and whether anything but signs lies beside them.

        words: of a type as wide as `allocated`, signed as the values are. Raises AmbiguousError.
        """
        words = words.astype(self._type(signed=self.signed), copy=False)
        if self.overlays & self.value_mask:
            raise AmbiguousError("overlay graphics are declared in bits of the values")
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
        """Whether undeclared bits are set above the values, beside copies of their signs."""
        above = bits & self.above_mask
        copies = above.dtype.type(self.above_mask & ~self.overlays)
        negative = values < 0
        extended = np.count_nonzero(negative & (above == copies))
        bare = np.count_nonzero(negative & (above == 0))
        foreign = above != np.where(negative & (extended >= bare), copies, 0)
        grown = (bits.view(values.dtype) >> self.low).astype(np.int64)
        if foreign.any():
            masked_step, grown_step = _steps(foreign, values, grown)
            if masked_step * hu_per_value > MAX_SEAM_HU or masked_step > grown_step:
                raise AmbiguousError("values seem to go on in the bits above High Bit")
        if bare > extended:
            masked_step, grown_step = _steps(negative & ~foreign, values, grown)
            if masked_step > grown_step:
                raise AmbiguousError("values seem to be unsigned, against Pixel Representation")
        return bool(foreign.any())


def _steps(
    marked: NDArray[np.bool_], values: Words, grown: NDArray[np.int64]
) -> tuple[float, float]:
    """Median steps between neighbours of which one is marked, in values and in grown values."""
    steps: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for axis in (0, 1):
        border = np.diff(marked, axis=axis)
        for found, image in zip(steps, (values.astype(np.int64), grown), strict=True):
            found.append(np.abs(np.diff(image, axis=axis)[border]))
    masked, whole = (np.concatenate(found) for found in steps)
    return (float(np.median(masked)), float(np.median(whole))) if masked.size else (0.0, 0.0)
