from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import find_contours

from oarflow.rtstruct.tracing import Rings, trace_rings
from tests.oarflow.rtstruct.hand import shoelace


def rings_of(rings: Rings, k: int = 0) -> list[np.ndarray]:
    spans = zip(rings.starts[:-1], rings.starts[1:], rings.slices, strict=True)
    return [rings.points[a:b] for a, b, at in spans if at == k]


def as_set(rings: list[np.ndarray]) -> list[list[tuple[float, float]]]:
    return sorted(sorted(map(tuple, np.round(ring, 9).tolist())) for ring in rings)


@settings(deadline=None, max_examples=200)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(0, 1, width=32).filter(lambda value: value != 0.5),
    )
)
def test_rings_are_those_of_scikit_image_with_low_values_connected(values: np.ndarray) -> None:
    rings = trace_rings(values, 0.5)
    for k, plane in enumerate(values):
        padded = np.pad(plane.astype(np.float64), 1)
        expected = find_contours(padded, 0.5, fully_connected="low")
        assert as_set(rings_of(rings, k)) == as_set([ring[:-1] - 1 for ring in expected])


def test_opposite_corners_of_a_saddle_are_separated_whichever_diagonal_they_are_on() -> None:
    diagonal = np.array([[[1, 0], [0, 1]]], dtype=np.float32)
    for values in (diagonal, diagonal[:, ::-1]):
        for low in (0.0, 0.49):
            rings = rings_of(trace_rings(np.maximum(values, low), 0.5))
            assert len(rings) == 2
            assert all(len(ring) == 4 for ring in rings)


def test_outside_corners_of_a_saddle_are_joined_even_where_the_mean_is_inside() -> None:
    values = np.ones((1, 4, 4), dtype=np.float32)
    values[0, 1, 1] = values[0, 2, 2] = 0.45
    rings = trace_rings(values, 0.5)
    assert rings.holes.tolist() == [False, True]


def test_a_pixel_is_cut_half_way_to_its_neighbours_and_at_the_array_edge_alike() -> None:
    ring = rings_of(trace_rings(np.ones((1, 1, 1)), 0.5))[0]
    assert as_set([ring]) == [[(-0.5, 0.0), (0.0, -0.5), (0.0, 0.5), (0.5, 0.0)]]


def test_the_crossing_is_where_the_straight_line_between_two_pixels_reaches_the_level() -> None:
    ring = rings_of(trace_rings(np.array([[[0.9, 0.2]]]), 0.5))[0]
    assert max(ring[:, 1]) == pytest.approx((0.9 - 0.5) / (0.9 - 0.2))
    assert min(ring[:, 1]) == pytest.approx(-(0.9 - 0.5) / 0.9)


def test_values_at_the_level_are_inside_and_clearance_keeps_their_ring_open() -> None:
    ring = rings_of(trace_rings(np.array([[[0.5]]]), 0.5, clearance=(0.01, 0.02)))[0]
    assert np.abs(ring).max(axis=0) == pytest.approx((0.01, 0.02))


def test_outer_rings_run_one_way_and_holes_the_other() -> None:
    values = np.ones((2, 7, 7))
    values[1, 2:5, 2:5] = 0
    rings = trace_rings(values, 0.5)
    signs = [
        np.sign(shoelace(rings.points[a:b, ::-1]))
        for a, b in zip(rings.starts, rings.starts[1:], strict=False)
    ]
    assert rings.slices.tolist() == [0, 1, 1]
    assert sorted(zip(rings.slices, signs, strict=True)) == [(0, 1), (1, -1), (1, 1)]
    assert rings.holes.tolist() == [sign < 0 for sign in signs]


def test_a_hole_shares_the_component_of_its_outline_and_an_island_in_it_does_not() -> None:
    values = np.ones((1, 11, 11))
    values[0, 2:9, 2:9] = 0
    values[0, 5, 5] = 1
    rings = trace_rings(values, 0.5)
    components = dict(zip(np.diff(rings.starts).tolist(), rings.components.tolist(), strict=True))
    outline, hole, island = 44, 28, 4
    assert components[outline] == components[hole] != components[island]


def test_nothing_inside_gives_no_ring() -> None:
    rings = trace_rings(np.zeros((3, 4, 5)), 0.5)
    assert len(rings) == 0
    assert rings.points.shape == (0, 2)


def test_a_level_that_would_make_all_of_space_inside_is_an_error() -> None:
    with pytest.raises(ValueError, match="above 0"):
        trace_rings(np.zeros((1, 2, 2)), 0.0)
