"""Margins in the directions of the patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from oarflow.structures import Side

LEAST_MM = 0.1
"""A margin within a slice below this counts as this, if another direction has more."""


@dataclass(frozen=True)
class Margins:
    """How far a surface moves in each direction of the patient, in mm, each 0 or more.

    On a CT's grid left is +x, posterior is +y and superior is +z. Raises ValueError where a margin
    is negative or not a number.
    """

    left: float = 0.0
    right: float = 0.0
    anterior: float = 0.0
    posterior: float = 0.0
    superior: float = 0.0
    inferior: float = 0.0

    def __post_init__(self) -> None:
        for side, mm in self:
            if not mm >= 0:
                raise ValueError(f"a margin of {mm} mm ({side}) is negative")

    @classmethod
    def uniform(cls, mm: float) -> Margins:
        """The same margin in every direction."""
        return cls(*[mm] * len(fields(cls)))

    def __iter__(self) -> Iterator[tuple[Side, float]]:
        """Each direction with its margin."""
        return ((Side(item.name), getattr(self, item.name)) for item in fields(self))

    @property
    def mirrored(self) -> Margins:
        """Opposite directions exchanged."""
        return Margins(
            left=self.right,
            right=self.left,
            anterior=self.posterior,
            posterior=self.anterior,
            superior=self.inferior,
            inferior=self.superior,
        )

    @property
    def in_plane(self) -> float:
        """The greatest margin within a slice, in mm."""
        return max(self.left, self.right, self.anterior, self.posterior)

    @property
    def stretch(self) -> float:
        """How many times the least margin within a slice fits into the greatest, at least 1.

        A margin below LEAST_MM counts as that.
        """
        sides = (self.left, self.right, self.anterior, self.posterior)
        if not self.in_plane:
            return 1.0
        return self.in_plane / min(self.in_plane, max(LEAST_MM, min(sides)))

    @property
    def symmetric_in_plane(self) -> bool:
        """Whether opposite directions of a slice have the same margin."""
        return self.left == self.right and self.anterior == self.posterior
