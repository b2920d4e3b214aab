"""Arrangement of one region's closed contours on one slice: apart, nested or crossing.

The rasteriser and the linter use it. A contour within another is a hole, a contour within the hole
is an island, and so on. Contours that cross are joined: the region is all that they enclose.
CLOSEDPLANAR_XOR contours do not need it, because they combine by exclusive or.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from oarflow.rtstruct.scanline import Window, fill

ROUNDING_MM = 0.1
"""Contours that cross by less than this (mm) only touch: vendors round to 0.01 to 0.1 mm."""

MAX_POINTS, MAX_WINDING = 5000, 20
"""A contour that meets itself is tangled if it has more points than the first figure or is longer
than the second times its convex hull's outline. Its area would take minutes to compute."""

Ring = NDArray[np.float64]
"""(n, 2) points in mm in the slice's plane, the last not repeating the first."""


class Relation(Enum):
    """The relation of a contour to a smaller one."""

    APART = auto()
    TOUCHING = auto()
    HOLDING = auto()
    CROSSING = auto()
    SAME = auto()


@dataclass(frozen=True)
class Arrangement:
    """Plain contours of one region on one slice, identified by their index in the given list.

    pairs: (larger, smaller) by relation, without APART.
    """

    count: int
    pairs: dict[tuple[int, int], Relation]

    def having(self, relation: Relation) -> frozenset[int]:
        """Contours with this relation to a larger one, without repeated ones."""
        kept = (pair for pair, one in self.pairs.items() if one is relation)
        return frozenset(pair[1] for pair in kept if not self.repeated & set(pair))

    @cached_property
    def repeated(self) -> frozenset[int]:
        """Contours that repeat another one."""
        return frozenset(
            max(pair) for pair, relation in self.pairs.items() if relation is Relation.SAME
        )

    @cached_property
    def solids(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Contours that enclose the region, each with its holes."""
        kept = [number for number in range(self.count) if number not in self.repeated]
        holders: dict[int, set[int]] = {number: set() for number in kept}
        for (larger, smaller), relation in self.pairs.items():
            if relation is Relation.HOLDING and larger in holders and smaller in holders:
                holders[smaller].add(larger)
        depth: dict[int, int] = {}

        def depth_of(number: int) -> int:
            if number not in depth:
                depth[number] = max((1 + depth_of(one) for one in holders[number]), default=0)
            return depth[number]

        holes = [number for number in kept if depth_of(number) % 2]
        return tuple(
            (number, tuple(hole for hole in holes if number in holders[hole]))
            for number in kept
            if not depth_of(number) % 2
        )


def arrange(rings: Sequence[Ring]) -> Arrangement:
    """Arrange the plain contours of one region on one slice."""
    if len(rings) < 2:
        return Arrangement(len(rings), {})
    areas = [enclosed(ring) for ring in rings]
    boxes = [shapely.box(*ring.min(axis=0), *ring.max(axis=0)) for ring in rings]
    sizes = [
        box.area if area is None else area.area for area, box in zip(areas, boxes, strict=True)
    ]
    pairs: dict[tuple[int, int], Relation] = {}
    first, second = shapely.STRtree(boxes).query(boxes)
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        if (sizes[one], -one) <= (sizes[other], -other):
            continue
        relation = related(areas[one], areas[other])
        if relation is not Relation.APART:
            pairs[one, other] = relation
    return Arrangement(len(rings), pairs)


def related(larger: BaseGeometry | None, smaller: BaseGeometry | None) -> Relation:
    """The relation of an area to one that is not larger, to within ROUNDING_MM.

    None is a tangled contour, which counts as crossing: no hole is cut out of it.
    """
    if larger is None or smaller is None:
        return Relation.CROSSING
    if not larger.intersects(smaller):
        return Relation.APART
    if larger.covers(smaller) or larger.buffer(ROUNDING_MM).covers(smaller):
        same = smaller.buffer(ROUNDING_MM).covers(larger)
        return Relation.SAME if same else Relation.HOLDING
    if larger.buffer(-ROUNDING_MM).intersects(smaller):
        return Relation.CROSSING
    return Relation.TOUCHING


def enclosed(ring: Ring) -> BaseGeometry | None:
    """The area that a contour encloses by the even-odd rule, without a keyhole's hole.

    None where the contour is tangled.
    """
    area = shapely.Polygon(ring)
    if shapely.is_valid(area):
        return area
    if _is_tangled(ring):
        return None
    faces = shapely.get_parts(shapely.polygonize([shapely.unary_union(area.exterior)]))
    inner = shapely.get_coordinates(shapely.point_on_surface(faces))
    pixel = Window(0, 0, 1, 1)
    odd = [bool(fill(ring - point, pixel)[0, 0]) for point in inner]
    return shapely.union_all(faces[odd])


def crosses_itself(ring: Ring) -> bool:
    """Whether two edges of a contour cross between their ends, or it is tangled.

    The channel of a keyhole does not count, because its edges coincide.
    """
    if shapely.is_valid(shapely.Polygon(ring)):
        return False
    if _is_tangled(ring):
        return True
    edges = np.asarray(shapely.linestrings(np.stack((ring, np.roll(ring, -1, axis=0)), axis=1)))
    return bool(shapely.STRtree(edges).query(edges, predicate="crosses").size)


def _is_tangled(ring: Ring) -> bool:
    outline = shapely.LinearRing(ring)
    return len(ring) > MAX_POINTS or outline.length > MAX_WINDING * outline.convex_hull.length
