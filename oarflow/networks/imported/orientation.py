"""How the arrays of a network's training images lay in the patient, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.networks.imported.directions import DIRECTIONS, check_orientation
from oarflow.types import Triple, triple


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
