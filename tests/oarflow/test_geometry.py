"""Patient space, against coordinates worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.geometry import Grid, extrapolated

UNEVEN = Grid(
    positions_lps=np.array([[10.0, -20.0, 100.0], [10.0, -20.0, 103.0], [10.0, -20.0, 105.0]]),
    x_direction=np.array([1.0, 0.0, 0.0]),
    y_direction=np.array([0.0, 1.0, 0.0]),
    spacing_yx=(0.5, 2.0),
    shape=(3, 40, 50),
)


def test_index_to_patient_by_hand() -> None:
    assert UNEVEN.index_to_patient([0, 0, 0]).tolist() == [10, -20, 100]
    assert UNEVEN.index_to_patient([1, 4, 3]).tolist() == [16, -18, 103]
    assert UNEVEN.index_to_patient([1.5, 0, 0]).tolist() == [10, -20, 104]


def test_patient_to_index_goes_on_beyond_the_ends() -> None:
    assert UNEVEN.patient_to_index([16, -18, 103]).tolist() == [1, 4, 3]
    assert UNEVEN.patient_to_index([10, -20, 109]).tolist() == [4, 0, 0]
    assert UNEVEN.patient_to_index([10, -20, 94]).tolist() == [-2, 0, 0]


def test_a_prone_feet_first_grid_by_hand() -> None:
    grid = Grid(
        np.array([[5.0, 7.0, 0.0], [5.0, 7.0, -4.0]]),
        np.array([1.0, 0, 0]),
        np.array([0, -1.0, 0]),
        (1.0, 1.0),
        (2, 8, 8),
    )
    assert grid.normal.tolist() == [0, 0, -1]
    assert grid.index_to_patient([1, 2, 3]).tolist() == [8, 5, -4]
    assert grid.slice_to_patient(1, [2, 3]).tolist() == [8, 5, -4]


def test_a_turned_grid_maps_there_and_back() -> None:
    angle = np.deg2rad(20)
    x = np.array([np.cos(angle), 0, np.sin(angle)])
    y = np.array([0.0, 1.0, 0.0])
    normal = np.cross(x, y)
    grid = Grid(np.arange(5)[:, None] * 3.0 * normal + [1, 2, 3], x, y, (1.5, 0.7), (5, 20, 30))
    points = np.random.default_rng(0).uniform(-1, 6, (50, 3))
    back = grid.patient_to_index(grid.index_to_patient(np.clip(points, 0, 4)))
    np.testing.assert_allclose(back, np.clip(points, 0, 4), atol=1e-9)
    np.testing.assert_allclose(
        grid.index_to_patient([2, 3, 4]), [1, 2, 3] + 6 * normal + 4.5 * y + 2.8 * x, atol=1e-12
    )


def test_each_slice_stands_for_half_the_way_to_its_neighbours() -> None:
    assert UNEVEN.slice_thickness_mm.tolist() == [3.0, 2.5, 2.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions_lps": np.array([[0, 0, 0], [0.5, 0, 3], [0, 0, 6.0]])}, "sheared"),
        ({"positions_lps": np.array([[0, 0, 0], [0, 0, 3], [0, 0, 3.0]])}, "ascend"),
        ({"positions_lps": np.zeros((2, 3))}, "need positions"),
        ({"x_direction": np.array([1.0, 0.1, 0.0])}, "unit vector"),
        ({"x_direction": np.array([0.0, 1.0, 0.0])}, "right angles"),
        ({"spacing_yx": (0.0, 1.0)}, "positive"),
    ],
)
def test_what_is_no_stack_is_refused(change: dict[str, object], message: str) -> None:
    parts: dict[str, object] = dict(vars(UNEVEN))
    known = ("positions_lps", "x_direction", "y_direction", "spacing_yx", "shape")
    with pytest.raises(ValueError, match=message):
        Grid(**({key: parts[key] for key in known} | change))  # type: ignore[arg-type]


def test_a_hundredth_of_a_degree_is_a_stack() -> None:
    lean = np.tan(np.deg2rad(0.01))
    positions = np.arange(180)[:, None] * np.array([3.0 * lean, 0.0, 3.0])
    Grid(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (1.0, 1.0), (180, 4, 4))


def test_extrapolated_index_of_one_slice_is_in_mm() -> None:
    assert extrapolated([2.0, 5.0], np.array([2.0])).tolist() == [0.0, 3.0]
