"""Area of a mask's surface inside one cell: the cube between eight voxel centres.

`triangles.json` holds the triangles of marching cubes (Lorensen and Cline 1987) in such a cell, so
that scikit-image is needed only to make that file
(`python -m tests.oarflow.compare.marching_cubes`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.types import FloatArray, Spacing

WEIGHTS = np.array([128, 64, 32, 16, 8, 4, 2, 1]).reshape(2, 2, 2)
"""The number that each voxel of a cell, (z, y, x), adds to the cell's code if it is inside."""

ALL_INSIDE = 255
"""The code of a cell with all eight voxels inside."""

TRIANGLES = Path(__file__).with_name("triangles.json")


@lru_cache(maxsize=64)
def cell_areas(spacing_zyx: Spacing) -> FloatArray:
    """(256,) surface area in mm2 inside a cell, by its code. spacing_zyx: mm between voxels.

    A cell with more than four voxels inside has the same surface as its complement.
    """
    codes, corners = _triangles()
    points = corners * spacing_zyx
    normals = np.cross(points[:, 0] - points[:, 1], points[:, 0] - points[:, 2])
    areas = np.bincount(codes, np.linalg.norm(normals, axis=1), ALL_INSIDE + 1) / 2
    every = np.arange(ALL_INSIDE + 1)
    return np.asarray(areas[np.where(np.bitwise_count(every) <= 4, every, ALL_INSIDE - every)])


@lru_cache(maxsize=1)
def _triangles() -> tuple[NDArray[np.int64], FloatArray]:
    """(n,) code of each triangle's cell, and (n, 3, 3) its corners, (z, y, x) in cell edges."""
    cells = json.loads(TRIANGLES.read_text(encoding="utf-8"))["cells"]
    every = [(int(code), triangle) for code, found in cells.items() for triangle in found]
    halves = [[[int(digit) for digit in corner] for corner in t.split()] for _, t in every]
    return np.array([code for code, _ in every]), np.array(halves) / 2
