"""A region with holes as one closed ring: holes joined to the outline by bridges of no width.

The bridges are edges of a constrained Delaunay triangulation of the region, so they run from
vertex to vertex and cross neither a ring nor one another; of these, the shortest that connect all
rings are taken. Walking round the region's inside then passes each bridge once each way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

Edge = tuple[int, int]


class KeyholeError(Exception):
    """The rings do not bound one region: they touch or cross."""


def keyhole(rings: Sequence[NDArray[np.int64]]) -> NDArray[np.intp]:
    """Join a region's rings into one, without moving a point.

    rings: the outer ring first, then its holes, each (n, 2) in whole steps, the last point not
        repeating the first, in any sense of rotation; no point occurs twice.

    Returns the order in which the points, concatenated, are walked: n + 2 * holes indices. The
    area of the walk is the outer ring's less the holes', exactly.

    Raises KeyholeError where no such walk exists.
    """
    points = np.concatenate(rings) - rings[0].min(axis=0)
    if len(rings) == 1:
        return np.arange(len(points))
    follower = _followers(rings)
    ring_of = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    bridges = _bridges(points, rings, ring_of)
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
    """The next vertex of each, the region to the left of the way."""
    follower: list[int] = []
    for number, ring in enumerate(rings):
        own = np.arange(len(ring)) + len(follower)
        outward = (doubled_area(ring) > 0) == (number == 0)
        follower.extend(np.roll(own, -1 if outward else 1).tolist())
    return follower


def _bridges(
    points: NDArray[np.int64], rings: Sequence[NDArray[np.int64]], ring_of: NDArray[np.intp]
) -> list[Edge]:
    """Shortest edges of the triangulation that make all rings one (Kruskal's tree)."""
    base = rings[0].min(axis=0)
    region = shapely.Polygon(rings[0] - base, [hole - base for hole in rings[1:]])
    triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(region))
    corners = shapely.get_coordinates(triangles).astype(np.int64).reshape(-1, 4, 2)[:, :3]
    number = {point: index for index, point in enumerate(map(tuple, points.tolist()))}
    index = np.array([number[corner] for corner in map(tuple, corners.reshape(-1, 2).tolist())])
    index = index.reshape(-1, 3)
    edges = np.sort(np.concatenate((index[:, :2], index[:, 1:], index[:, ::2])), axis=1)
    edges = np.unique(edges[ring_of[edges[:, 0]] != ring_of[edges[:, 1]]], axis=0)
    length = ((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1)
    group = list(range(len(rings)))
    chosen: list[Edge] = []
    for first, second in edges[np.argsort(length, kind="stable")].tolist():
        a, b = _root(group, int(ring_of[first])), _root(group, int(ring_of[second]))
        if a != b:
            group[a] = b
            chosen.append((first, second))
    if len(chosen) != len(rings) - 1:
        raise KeyholeError("a hole cannot be reached from the outline")
    return chosen


def _root(group: list[int], member: int) -> int:
    while group[member] != member:
        group[member] = group[group[member]]
        member = group[member]
    return member


def _walk(points: NDArray[np.int64], follower: list[int], bridges: list[Edge]) -> NDArray[np.intp]:
    """Walk round the region, at each vertex taking the first way clockwise from where it came."""
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
    """Angle (0, 2 pi] clockwise from the way back to another way."""
    if way == came:
        return 2 * math.pi
    back, ahead = (points[came] - points[at]).tolist(), (points[way] - points[at]).tolist()
    turn = math.atan2(
        back[1] * ahead[0] - back[0] * ahead[1], back[0] * ahead[0] + back[1] * ahead[1]
    )
    return turn if turn > 0 else turn + 2 * math.pi
