"""How the arrays of a network's training images lay in the patient, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.types import Triple, triple

DIRECTIONS = ("LR", "PA", "SI")
"""Opposite directions along the patient's axes; the first of each is LPS's."""


def check_orientation(letters: str) -> None:
    """Raise ValueError unless three letters name a direction along each axis, such as RAS."""
    axes = [axis for letter in letters for axis, pair in enumerate(DIRECTIONS) if letter in pair]
    if len(letters) != 3 or sorted(axes) != [0, 1, 2]:
        raise ValueError(
            f"an orientation is three letters, such as RAS: one of L and R, one of A and P, one of"
            f" S and I; not {letters!r:.20}"
        )


def flips(letters: str) -> tuple[str, ...]:
    """The eight orientations with these axes, the given one first."""
    check_orientation(letters)
    found = [""]
    for letter in letters:
        pair = next(pair for pair in DIRECTIONS if letter in pair)
        other = pair.replace(letter, "")
        found = [start + end for end in (letter, other) for start in found]
    return tuple(found)


def grid_orientation(grid: Grid) -> str:
    """Directions in which a CT's index grows along x, y and z; LPS for axial series."""
    letters = ""
    for vector in (grid.x_direction, grid.y_direction, grid.normal):
        axis = int(np.abs(vector).argmax())
        letters += DIRECTIONS[axis][int(vector[axis] < 0)]
    check_orientation(letters)
    return letters


@dataclass(frozen=True)
class AxisOrder:
    """The way from a CT's axes (z, y, x) to a network's.

    order: the CT's axis along each of the network's. flipped: the network's axes that run backward.
    """

    order: tuple[int, int, int]
    flipped: tuple[int, ...]

    @classmethod
    def between(
        cls, ct: str, network: str, transpose: tuple[int, int, int] = (0, 1, 2)
    ) -> AxisOrder:
        """ct, network: orientations. transpose: applied after the turn, as nnU-Net does."""
        at = {letter: 2 - place for place, letter in enumerate(ct)}
        order, backward = [], []
        for letter in reversed(network):
            other = next(pair for pair in DIRECTIONS if letter in pair).replace(letter, "")
            order.append(at[letter] if letter in at else at[other])
            backward.append(letter not in at)
        z, y, x = (order[axis] for axis in transpose)
        return cls((z, y, x), tuple(new for new, axis in enumerate(transpose) if backward[axis]))

    def into(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of an array on the CT's axes along the network's."""
        return np.flip(array.transpose(self.order), self.flipped)

    def back(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of an array on the network's axes along the CT's."""
        return np.flip(array, self.flipped).transpose(np.argsort(self.order))

    def lengths(self, ct: Triple) -> Triple:
        """Spacings or other lengths along (z, y, x) of the CT, along the network's axes."""
        return triple(ct[axis] for axis in self.order)
