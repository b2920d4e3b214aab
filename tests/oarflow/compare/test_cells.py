"""The table of triangles is scikit-image's, and its areas are those of formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import measure

from oarflow.compare.cells import ALL_INSIDE, TRIANGLES, WEIGHTS, cell_areas
from tests.oarflow.compare.marching_cubes import written

SPACING = (3.0, 1.3, 0.7)


def test_the_table_is_what_marching_cubes_makes() -> None:
    assert TRIANGLES.read_text(encoding="utf-8") == written()


@pytest.mark.parametrize("code", range(1, ALL_INSIDE))
def test_areas_are_those_of_scikit_image(code: int) -> None:
    fewer = code if code.bit_count() <= 4 else ALL_INSIDE - code
    cell = ((WEIGHTS & fewer) > 0).astype(np.float32)
    points, faces, *_ = measure.marching_cubes(cell, 0.5, method="lorensen")
    expected = measure.mesh_surface_area(points.astype(np.float64) * SPACING, faces)
    assert cell_areas(SPACING)[code] == pytest.approx(expected, rel=1e-12)


def test_one_corner_and_half_a_cell_by_formula() -> None:
    z, y, x = SPACING
    areas = cell_areas(SPACING)
    # One corner: the triangle through the middles of its three edges.
    legs = math.sqrt((z * y) ** 2 + (z * x) ** 2 + (y * x) ** 2)
    assert areas[128] == areas[255 - 128] == pytest.approx(legs / 8)
    # The lower four voxels: a plane across the cell.
    assert areas[128 + 64 + 32 + 16] == pytest.approx(y * x)
    assert areas[0] == areas[ALL_INSIDE] == 0
