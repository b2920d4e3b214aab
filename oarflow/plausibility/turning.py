"""The scan in other patient positions, as if the patient had been registered in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from oarflow.geometry import Grid
from oarflow.types import FloatVoxels
from oarflow.volume import Volume


@dataclass(frozen=True)
class Turn:
    """A rotation. words: its description. of: turns the voxels (z, y, x).

    sideways: rows and columns are exchanged. head_down: the order of slices is reversed.
    """

    words: str
    of: Callable[[FloatVoxels], FloatVoxels]
    sideways: bool = False
    head_down: bool = False


TURNS = (
    Turn("by 180 degrees about the body's length", lambda hu: hu[:, ::-1, ::-1]),
    Turn("by 90 degrees to one side", lambda hu: hu.mT[:, ::-1], sideways=True),
    Turn("by 90 degrees to the other side", lambda hu: hu.mT[:, :, ::-1], sideways=True),
    Turn("head for foot and left for right", lambda hu: hu[::-1, :, ::-1], head_down=True),
    Turn("head for foot and front for back", lambda hu: hu[::-1, ::-1], head_down=True),
)
"""The other positions of a patient; all are rotations, none is a reflection."""


def turned(volume: Volume, turn: Turn) -> Volume:
    """A near-axial volume, turned. The new grid's position in space is arbitrary."""
    hu = np.ascontiguousarray(turn.of(volume.hu))
    offsets = volume.grid.offsets_mm
    y_mm, x_mm = volume.grid.spacing_yx
    grid = Grid(
        positions_lps=np.outer(-offsets[::-1] if turn.head_down else offsets, (0.0, 0.0, 1.0)),
        x_direction=np.array([1.0, 0.0, 0.0]),
        y_direction=np.array([0.0, 1.0, 0.0]),
        spacing_yx=(x_mm, y_mm) if turn.sideways else (y_mm, x_mm),
        shape=(hu.shape[0], hu.shape[1], hu.shape[2]),
    )
    return replace(volume, hu=hu, grid=grid)
