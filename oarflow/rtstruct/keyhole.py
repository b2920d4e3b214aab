"""A region with holes as one closed ring: bridges without width join the holes to the outline.

Bridges connect vertices, the shortest first, and cross neither a ring nor each other. A walk around
the region's inside passes each bridge once in each direction. All tests are exact, in integers.
(GEOS's constrained triangulation gives such bridges too, but fails on regions with holes in rows,
which occur in masks.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

_NEAREST = (4, 32)
"""Number of a vertex's nearest neighbours that are tried for a bridge before all others."""

Edge = tuple[int, int]


class KeyholeError(Exception):
    """The rings touch or cross, so that they do not bound one region."""


def keyhole(rings: Sequence[NDArray[np.int64]]) -> NDArray[np.intp]:
    """Join a region's rings into one, without moving a point.

    rings: the outer ring first, then its holes, each (n, 2) in whole steps, the last point not
        repeating the first, in any sense of rotation; no point occurs twice.

    Returns the order of the concatenated points along the walk: n + 2 * holes indices. The area of
    the walk is exactly the outer ring's minus the holes'.

    Raises KeyholeError where no such walk exists.
    """
    points = np.concatenate(rings) - rings[0].min(axis=0)
    if len(rings) == 1:
        return np.arange(len(points))
    follower = _followers(rings)
    ring_of = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    bridges = _bridges(points, follower, ring_of)
    walk = _walk(points, follower, bridges)
    expected = abs(doubled_area(rings[0])) - sum(abs(doubled_area(hole)) for hole in rings[1:])
    if doubled_area(points[walk]) != expected:
        raise KeyholeError("the joined ring has another area than the region")
    return walk


def doubled_area(ring: NDArray[np.int64]) -> int:
    """Twice the signed area of an (n, 2) ring: positive where it runs counter-clockwise."""
    near = ring - ring[0]
    x, y = near[:, 0], near[:, 1]
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _followers(rings: Sequence[NDArray[np.int64]]) -> list[int]:
    """The next vertex of each vertex, with the region to the left of the walk."""
    follower: list[int] = []
    for number, ring in enumerate(rings):
        own = np.arange(len(ring)) + len(follower)
        outward = (doubled_area(ring) > 0) == (number == 0)
        follower.extend(np.roll(own, -1 if outward else 1).tolist())
    return follower


def _bridges(
    points: NDArray[np.int64], follower: list[int], ring_of: NDArray[np.intp]
) -> list[Edge]:
    """The shortest free lines between vertices that connect all rings."""
    for nearest in (*_NEAREST, len(points)):
        candidates = _candidates(points, ring_of, nearest)
        chosen = _tree(points, follower, ring_of, candidates)
        if len(chosen) == ring_of[-1]:
            return chosen
    raise KeyholeError("a hole cannot be reached from the outline")


def _candidates(
    points: NDArray[np.int64], ring_of: NDArray[np.intp], nearest: int
) -> list[list[int]]:
    """Pairs of each hole's vertices and the nearest ones of other rings, shortest first."""
    pairs = []
    for hole in range(1, int(ring_of[-1]) + 1):
        own, others = np.flatnonzero(ring_of == hole), np.flatnonzero(ring_of != hole)
        ranks = np.arange(1, min(nearest, len(others)) + 1)
        _, near = KDTree(points[others]).query(points[own], k=ranks)
        pairs.append(np.column_stack((np.repeat(own, len(ranks)), others[near].ravel())))
    edges = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    length = ((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1)
    found: list[list[int]] = edges[np.argsort(length, kind="stable")].tolist()
    return found


def _tree(
    points: NDArray[np.int64],
    follower: list[int],
    ring_of: NDArray[np.intp],
    candidates: list[list[int]],
) -> list[Edge]:
    """Kruskal's spanning tree of the rings, over the candidates that cross nothing."""
    group = list(range(int(ring_of[-1]) + 1))
    tails, heads = np.arange(len(points)), np.array(follower)
    chosen: list[Edge] = []
    for first, second in candidates:
        a, b = _root(group, int(ring_of[first])), _root(group, int(ring_of[second]))
        if a == b or not _free(points, first, second, points[tails], points[heads]):
            continue
        group[a] = b
        chosen.append((first, second))
        tails, heads = np.append(tails, first), np.append(heads, second)
        if len(chosen) == len(group) - 1:
            break
    return chosen


def _free(
    points: NDArray[np.int64],
    first: int,
    second: int,
    tails: NDArray[np.int64],
    heads: NDArray[np.int64],
) -> bool:
    """Whether the line between two vertices crosses no edge and meets no other vertex."""
    begin, end = points[first], points[second]
    if (begin == end).all():
        return False
    crosses = (_side(begin, end, tails) * _side(begin, end, heads) < 0) & (
        _side(tails, heads, begin) * _side(tails, heads, end) < 0
    )
    along = ((points - begin) * (end - begin)).sum(axis=1)
    within = (along > 0) & (along < ((end - begin) ** 2).sum())
    return not (crosses.any() or (within & (_side(begin, end, points) == 0)).any())


def _side(
    begin: NDArray[np.int64], end: NDArray[np.int64], point: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The side of lines on which points lie: 1 left, -1 right, 0 on the line."""
    way, off = end - begin, point - begin
    return np.asarray(np.sign(way[..., 0] * off[..., 1] - way[..., 1] * off[..., 0]))


def _root(group: list[int], member: int) -> int:
    while group[member] != member:
        group[member] = group[group[member]]
        member = group[member]
    return member


def _walk(points: NDArray[np.int64], follower: list[int], bridges: list[Edge]) -> NDArray[np.intp]:
    """Walk around the region; at each vertex take the first edge clockwise from the last one."""
    ways: dict[int, list[int]] = {}
    for first, second in bridges:
        ways.setdefault(first, []).append(second)
        ways.setdefault(second, []).append(first)
    came, at = follower.index(0), 0
    walk = []
    for _ in range(len(follower) + 2 * len(bridges)):
        walk.append(at)
        onward = follower[at]
        if at in ways:
            onward = min(
                (onward, *ways[at]), key=lambda way: _clockwise_turn(points, came, at, way)
            )
        came, at = at, onward
    return np.array(walk, dtype=np.intp)


def _clockwise_turn(points: NDArray[np.int64], came: int, at: int, way: int) -> float:
    """Angle (0, 2 pi] clockwise from the edge back to another edge."""
    if way == came:
        return 2 * math.pi
    back, ahead = (points[came] - points[at]).tolist(), (points[way] - points[at]).tolist()
    turn = math.atan2(
        back[1] * ahead[0] - back[0] * ahead[1], back[0] * ahead[0] + back[1] * ahead[1]
    )
    return turn if turn > 0 else turn + 2 * math.pi
