"""A fine CT, and CTs like OpenKBP's made from it: every fourth pixel, masked to the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oarflow.geometry import Grid
from oarflow.networks.sampling import AIR_HU
from oarflow.segmentation.body import body_parts
from oarflow.types import Mask
from oarflow.volume import Volume

STEP = 4
"""OpenKBP kept one of so many pixels along rows and columns."""

LATTICES = ((0, 0), (2, 2), (0, 2), (2, 0))
"""First row and column of each coarse CT."""

DENSE_HU = -300.0
"""Voxels above this may be the patient."""

_PATIENT = 2

Lattice = tuple[int, int]


def on_lattice(mask: Mask, lattice: Lattice) -> Mask:
    """A mask (z, y, x) of the fine CT at the voxels of a lattice."""
    row, column = lattice
    return mask[:, row::STEP, column::STEP]


def coarse(volume: Volume, lattice: Lattice) -> Volume:
    """The pixels of a lattice as a CT of their own; -1024 HU outside the patient."""
    row, column = lattice
    hu = volume.hu[:, row::STEP, column::STEP]
    patient = body_parts(hu > DENSE_HU) == _PATIENT
    hu = np.where(patient, hu, np.float32(AIR_HU))
    return replace(volume, hu=hu, grid=_grid(volume.grid, lattice, hu.shape))


def _grid(grid: Grid, lattice: Lattice, shape: tuple[int, ...]) -> Grid:
    rows, columns = grid.spacing_yx
    first = lattice[0] * rows * grid.y_direction + lattice[1] * columns * grid.x_direction
    return replace(
        grid,
        positions_lps=grid.positions_lps + first,
        spacing_yx=(STEP * rows, STEP * columns),
        shape=(shape[0], shape[1], shape[2]),
    )
