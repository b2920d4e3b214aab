from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from oarflow.rtstruct.keyhole import KeyholeError, doubled_area, keyhole


def square(x: int, y: int, size: int) -> np.ndarray:
    return np.array([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], dtype=np.int64)


def walked(rings: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(rings)[keyhole(rings)]


def edges(points: np.ndarray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    turned = np.roll(points, -1, axis=0)
    return [(tuple(a), tuple(b)) for a, b in zip(points.tolist(), turned.tolist(), strict=True)]


def test_a_ring_alone_is_walked_as_it_is() -> None:
    assert keyhole([square(0, 0, 10)]).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("outer_turned", [False, True])
@pytest.mark.parametrize("hole_turned", [False, True])
def test_area_is_outer_less_inner_exactly_whatever_the_senses(
    outer_turned: bool, hole_turned: bool
) -> None:
    outer, hole = square(0, 0, 20_000), square(6_000, 7_000, 8_000)
    ring = walked([outer[:: -1 if outer_turned else 1], hole[:: -1 if hole_turned else 1]])
    assert abs(doubled_area(ring)) == 2 * (20_000**2 - 8_000**2)


def test_only_the_bridge_is_walked_twice_once_each_way() -> None:
    steps = edges(walked([square(0, 0, 20), square(5, 6, 4)]))
    doubled = [step for step in steps if step[::-1] in steps]
    assert len(steps) == 4 + 4 + 2
    assert sorted(doubled) == sorted([((0, 0), (5, 6)), ((5, 6), (0, 0))])


def test_the_bridge_is_the_shortest_free_line_between_vertices() -> None:
    hole = np.array([(5, 6), (9, 6), (19, 19), (5, 10)], dtype=np.int64)
    steps = edges(walked([square(0, 0, 20), hole]))
    assert ((20, 20), (19, 19)) in steps
    assert ((19, 19), (20, 20)) in steps


def test_holes_are_chained_where_that_is_shorter_than_the_outline() -> None:
    holes = [square(40, 40, 4), square(46, 40, 4), square(52, 40, 4)]
    ring = walked([square(0, 0, 100), *holes])
    assert abs(doubled_area(ring)) == 2 * (100**2 - 3 * 16)
    doubled = [step for step in edges(ring) if step[::-1] in edges(ring)]
    from_outline = [step for step in doubled if {step[0][0], step[0][1]} <= {0, 100}]
    assert len(doubled) == 6
    assert len(from_outline) == 1


@settings(deadline=None, max_examples=60)
@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1), st.randoms())
def test_many_holes_are_joined_without_crossing(places: set, random: object) -> None:
    holes = []
    for x, y in sorted(places):
        corners = [(x * 10 + random.randint(0, 3), y * 10 + random.randint(0, 3))]
        corners.append((x * 10 + random.randint(5, 8), y * 10 + random.randint(0, 3)))
        corners.append((x * 10 + random.randint(0, 8), y * 10 + random.randint(5, 8)))
        holes.append(np.array(corners, dtype=np.int64))
    outer = square(-7, -9, 97)
    ring = walked([outer, *holes])
    assert len(ring) == 4 + 3 * len(holes) + 2 * len(holes)
    assert abs(doubled_area(ring)) == doubled_area(outer) - sum(
        abs(doubled_area(hole)) for hole in holes
    )
    region = shapely.Polygon(outer, holes)
    lines = shapely.linestrings(np.array(edges(ring), dtype=float))
    assert shapely.covers(region, lines).all()
    crossing = shapely.STRtree(lines).query(lines, predicate="crosses")
    assert crossing.size == 0


def test_rings_that_do_not_bound_one_region_are_an_error() -> None:
    with pytest.raises(KeyholeError):
        keyhole([square(0, 0, 10), square(30, 30, 4)])
