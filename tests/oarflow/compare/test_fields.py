"""Surfaces of probability fields whose distance follows from a formula."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.compare.fields import field_distances
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField

RADIUS_MM = 15.0
SHORT_MM = 0.6
"""Distances come out at most this much too short."""


def grid(z: float, y: float, x: float) -> Grid:
    """An axial grid of 90 mm about the origin."""
    count = (round(90 / z), round(90 / y), round(90 / x))
    first = np.array([-45 + x / 2, -45 + y / 2, -45 + z / 2])
    positions = first + np.arange(count[0])[:, None] * (0, 0, z)
    return Grid(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (y, x), count)


def ball(
    grid: Grid, centre: tuple[float, float, float], radius_mm: float = RADIUS_MM
) -> ProbabilityField:
    """Probabilities fall over 8 mm, from 1 to 0, across the surface of a ball."""
    points = grid.index_to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))
    depth = radius_mm - np.linalg.norm(points - np.asarray(centre), axis=-1)
    values = np.clip(0.5 + depth / 8, 0, 1).astype(np.float32)
    return ProbabilityField(values, (0, 0, 0))


def mean_of_shifted(away_mm: float) -> float:
    """Mean distance of a ball's surface from that of the shifted ball, by quadrature."""
    cosine = np.linspace(-1, 1, 100_001)
    squares = RADIUS_MM**2 + away_mm**2 - 2 * RADIUS_MM * away_mm * cosine
    return float(np.abs(np.sqrt(squares) - RADIUS_MM).mean())


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 2.0, 2.0), (2.5, 4.0, 4.0)])
@pytest.mark.parametrize("away_mm", [4.0, 10.0])
def test_a_shift_gives_the_same_distance_on_coarse_and_fine_grids(
    spacing: tuple[float, float, float], away_mm: float
) -> None:
    on = grid(*spacing)
    found = field_distances(ball(on, (0, 0, 0)), ball(on, (away_mm, 0, 0)), on)
    assert mean_of_shifted(away_mm) - SHORT_MM < found.mean() <= mean_of_shifted(away_mm)
    assert found.hausdorff() == pytest.approx(away_mm, abs=1.5)


@pytest.mark.parametrize("thicker_mm", [2.0, 6.0])
def test_concentric_balls_are_as_far_apart_as_their_radii(thicker_mm: float) -> None:
    on = grid(3.0, 2.0, 2.0)
    large = ball(on, (0, 0, 0), RADIUS_MM + thicker_mm)
    found = field_distances(ball(on, (0, 0, 0)), large, on)
    assert thicker_mm - SHORT_MM < found.mean() <= thicker_mm
    assert found.hausdorff(95) == pytest.approx(thicker_mm, abs=1.2)


def test_cropped_fields_at_the_edge_of_the_ct_lie_where_they_lay() -> None:
    on = grid(3.0, 2.0, 2.0)
    whole = ball(on, (-40, 0, 0)), ball(on, (-34, 0, 0))
    parts = []
    for field in whole:
        z, y, x = field.mask_box
        offset = (z.start, y.start, x.start)
        parts.append(ProbabilityField(field.values[z, y, x], offset))
    expected = field_distances(whole[0], whole[1], on)
    found = field_distances(parts[0], parts[1], on)
    assert expected.mean() > 1.5
    assert found.mean() == pytest.approx(expected.mean(), abs=0.5)


def test_a_field_has_no_distance_from_itself() -> None:
    on = grid(3.0, 2.0, 2.0)
    found = field_distances(ball(on, (0, 0, 0)), ball(on, (0, 0, 0)), on)
    assert (found.mean(), found.hausdorff()) == (0.0, 0.0)
