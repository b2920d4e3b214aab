"""Margins against formulas, on uneven slices."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.derived.growing import grown, shrunk
from oarflow.derived.margins import Margins
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from tests.oarflow.derived.shapes import (
    CENTRE,
    Floats,
    along_plate,
    cylinder,
    field_of,
    outline,
    plate,
    sphere,
    uneven_grid,
)

GAPS = [(1.0,), (1.0, 1.5, 2.0, 2.5, 3.0), (3.0,), (1.0, 2.0, 3.0, 4.0, 5.0), (5.0,)]
"""Distances of slices, in mm."""

SIZES = (3.0, 5.0, 10.0, -3.0, -5.0, -10.0)
"""Margins in mm; shrunk where negative."""


def limit_mm(gaps: tuple[float, ...]) -> float:
    """Greatest mean surface error."""
    return 0.1 if max(gaps) <= 3 else 0.2


def moved(field: ProbabilityField, grid: Grid, mm: float) -> Floats:
    margins = Margins.uniform(abs(mm))
    result = grown(field, grid, margins) if mm > 0 else shrunk(field, grid, margins)
    assert result is not None
    return outline(result, grid)


@pytest.mark.parametrize("mm", SIZES)
@pytest.mark.parametrize("gaps", GAPS, ids=str)
class TestFormulas:
    def test_a_sphere(self, gaps: tuple[float, ...], mm: float) -> None:
        grid = uneven_grid(gaps)
        field = field_of(sphere(22), grid)
        points = moved(field, grid, mm)
        away = points - CENTRE
        distance = np.linalg.norm(away, axis=1)
        # Points whose normal leads beyond the first or last section belong to the caps.
        height = away[:, 0] / distance * 22
        ends = outline(field, grid)[:, 0] - CENTRE[0]
        sides = (height > ends.min()) & (height < ends.max())
        error = np.abs(distance - 22 - mm)[sides]
        assert len(error) > 100
        assert error.mean() <= limit_mm(gaps)

    def test_a_cylinder(self, gaps: tuple[float, ...], mm: float) -> None:
        grid = uneven_grid(gaps)
        points = moved(field_of(cylinder(15, 25), grid), grid, mm)
        sides = np.abs(points[:, 0] - CENTRE[0]) < 25 + min(mm, 0) - 5
        radius = np.hypot(points[:, 1] - CENTRE[1], points[:, 2] - CENTRE[2])[sides]
        assert np.abs(radius - 15 - mm).mean() <= limit_mm(gaps)

    @pytest.mark.parametrize("degrees", [35.0, 60.0])
    def test_a_tilted_plate(self, gaps: tuple[float, ...], mm: float, degrees: float) -> None:
        grid = uneven_grid(gaps)
        points = moved(field_of(plate(14, degrees, 35), grid), grid, mm)
        across, along, y = along_plate(degrees, *points.T)
        faces = np.maximum(np.abs(along), np.abs(y)) < 35 + min(mm, 0) - 8
        assert np.abs(np.abs(across) - 14 - mm)[faces].mean() <= limit_mm(gaps)


def test_pixels_need_not_be_square() -> None:
    grid = uneven_grid((2.0,), spacing_yx=(0.9, 1.3))
    centre = (60.0, 54.0, 78.0)
    points = moved(field_of(sphere(20, centre), grid), grid, 5)
    sides = np.abs(points[:, 0] - 60) < 20
    assert np.abs(np.linalg.norm(points - centre, axis=1) - 25)[sides].mean() < 0.05


ONE_WAY = [
    ({"left": 6.0}, 2, 1),
    ({"right": 6.0}, 2, -1),
    ({"posterior": 6.0}, 1, 1),
    ({"anterior": 6.0}, 1, -1),
    ({"superior": 6.0}, 0, 1),
    ({"inferior": 6.0}, 0, -1),
]
"""A margin, and the axis and direction in which only it moves the surface."""


@pytest.mark.parametrize(("margin", "axis", "way"), ONE_WAY)
def test_a_margin_moves_the_surface_to_its_side_only(
    margin: dict[str, float], axis: int, way: int
) -> None:
    """To other sides by less than a third of a pixel."""
    grid = uneven_grid((2.0,))
    field = field_of(sphere(20), grid)
    before, after = outline(field, grid), moved_by(field, grid, margin)
    for number in range(3):
        for side in (-1, 1):
            far = (side * after[:, number]).max() - (side * before[:, number]).max()
            expected = 6.0 if (number, side) == (axis, way) else 0.0
            assert far == pytest.approx(expected, abs=0.3)


def moved_by(field: ProbabilityField, grid: Grid, margin: dict[str, float]) -> Floats:
    result = grown(field, grid, Margins(**margin))
    assert result is not None
    return outline(result, grid)


def test_margins_are_the_half_axes_of_quarter_ellipses() -> None:
    """Checked by brute force: every point of the outline is an ellipse away from the disc."""
    margins = Margins(left=8, right=3, anterior=5, posterior=2)
    grid = uneven_grid((3.0,))
    points = moved_by(field_of(cylinder(12, 25), grid), grid, vars(margins))
    middle = points[np.abs(points[:, 0] - CENTRE[0]) < 10]
    angle = np.linspace(0, 2 * np.pi, 20_000)
    disc = np.stack((CENTRE[1] + 12 * np.sin(angle), CENTRE[2] + 12 * np.cos(angle)), -1)
    for point in middle[::37, 1:]:
        y, x = (point - disc).T
        scaled = np.hypot(y / np.where(y > 0, 2, 5), x / np.where(x > 0, 8, 3))
        assert scaled.min() == pytest.approx(1, abs=0.02)


def test_shrinking_takes_the_same_margin_from_the_same_side() -> None:
    grid = uneven_grid((2.0,))
    field = field_of(cylinder(20, 30), grid)
    result = shrunk(field, grid, Margins(left=6, superior=4))
    assert result is not None
    before, after = outline(field, grid), outline(result, grid)
    assert before[:, 2].max() - after[:, 2].max() == pytest.approx(6, abs=0.1)
    assert before[:, 2].min() - after[:, 2].min() == pytest.approx(0, abs=0.3)
    assert before[:, 0].max() - after[:, 0].max() == pytest.approx(4, abs=0.1)
    assert before[:, 0].min() == after[:, 0].min()


def test_an_end_lies_half_way_to_the_next_slice() -> None:
    """Slices at 0, 4, 8 ...: the last section at 80 ends at 82, and 3 mm more reach 84, not 88."""
    grid = uneven_grid((4.0,))
    field = field_of(cylinder(15, 20), grid)  # from 40.3 to 80.3
    assert outline(field, grid)[:, 0].max() == 80
    assert moved(field, grid, 3)[:, 0].max() == 84
    assert moved(field, grid, 1)[:, 0].max() == 80
    assert moved(field, grid, -3)[:, 0].max() == 76
    assert moved(field, grid, -1)[:, 0].max() == 80


def test_an_end_narrows_as_the_slices_before_it_and_never_widens() -> None:
    """A cone of 20 mm radius at 40 mm, 1 mm narrower or wider with each mm, cut at 52 mm."""
    grid = uneven_grid((4.0,))
    at = {}
    for way in (-1, 1):

        def cone(z: Floats, y: Floats, x: Floats, way: int = way) -> Floats:
            radius = 20 + way * (z - 40)
            inside = radius - np.hypot(y - CENTRE[1], x - CENTRE[2])
            return np.asarray(np.where((z >= 28) & (z <= 52), inside, -10.0))

        points = moved(field_of(cone, grid), grid, 3)
        top = points[points[:, 0] == 56]
        at[way] = np.hypot(top[:, 1] - CENTRE[1], top[:, 2] - CENTRE[2])
    # The section at 54 mm has a radius of 6 or 32 mm, and 56 mm lies 2 mm above it.
    reach = np.sqrt(3**2 - 2**2)
    assert at[-1].mean() == pytest.approx(6 + reach, abs=0.25)
    assert at[1].mean() == pytest.approx(32 + reach, abs=0.1)


def test_nothing_shrinks_from_the_edge_of_the_ct() -> None:
    grid = uneven_grid((3.0,))
    whole = ProbabilityField(np.ones(grid.shape, dtype=np.float32), (0, 0, 0))
    result = shrunk(whole, grid, Margins.uniform(10))
    assert result is not None
    assert result.full_mask(grid.shape).all()


def test_nothing_is_left_of_what_is_thinner_than_the_margins() -> None:
    grid = uneven_grid((3.0,))
    assert shrunk(field_of(sphere(8), grid), grid, Margins.uniform(9)) is None


def test_a_margin_stays_within_the_ct() -> None:
    grid = uneven_grid((3.0,))
    edge = field_of(sphere(10, (1.0, 2.0, 118.0)), grid)
    result = grown(edge, grid, Margins.uniform(5))
    assert result is not None
    assert result.box[1].start == 0
    assert result.box[2].stop == grid.shape[2]


@pytest.mark.parametrize("mm", [1.0, 4.0, 16.0])
def test_the_structure_lies_in_itself_grown_and_holds_itself_shrunk(mm: float) -> None:
    grid = uneven_grid((1.0, 4.0))
    field = field_of(plate(14, 60, 30), grid)
    mask = field.full_mask(grid.shape)
    bigger = grown(field, grid, Margins.uniform(mm))
    assert bigger is not None
    assert not (mask & ~bigger.full_mask(grid.shape)).any()
    smaller = shrunk(field, grid, Margins.uniform(mm))
    assert smaller is None or not (smaller.full_mask(grid.shape) & ~mask).any()
