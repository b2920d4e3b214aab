"""The triangles of `oarflow/compare/triangles.json`, made by scikit-image's marching cubes.

`python -m tests.oarflow.compare.marching_cubes` writes the file.
"""

from __future__ import annotations

import json

import numpy as np
from skimage import measure

from oarflow.compare.cells import ALL_INSIDE, TRIANGLES, WEIGHTS

MADE_BY = "python -m tests.oarflow.compare.marching_cubes"

ABOUT = (
    "Triangles of the surface in a cell of eight voxel centres, by the cell's code "
    "(oarflow/compare/cells.py); each corner is z, y, x in half edges of the cell."
)


def triangles(code: int) -> list[str]:
    """The triangles of one cell as the file writes them."""
    cell = ((WEIGHTS & code) > 0).astype(np.float32)
    points, faces, *_ = measure.marching_cubes(cell, 0.5, method="lorensen")
    halves = np.rint(points * 2).astype(int)
    assert np.array_equal(halves / 2, points), "every corner lies in the middle of an edge"
    corners = ["".join(map(str, point)) for point in halves]
    return [" ".join(corners[k] for k in face) for face in faces]


def written() -> str:
    """The whole file: every cell with one to four voxels inside."""
    codes = [code for code in range(1, ALL_INSIDE) if code.bit_count() <= 4]
    lines = ",\n".join(f'    "{code}": {json.dumps(triangles(code))}' for code in codes)
    head = f'  "about": {json.dumps(ABOUT)},\n  "made_by": {json.dumps(MADE_BY)},\n'
    return "{\n" + head + '  "cells": {\n' + lines + "\n  }\n}\n"


if __name__ == "__main__":
    TRIANGLES.write_text(written(), encoding="utf-8")
