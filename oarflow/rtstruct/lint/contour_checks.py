"""Findings about the shapes of contours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from oarflow.rtstruct.arrangement import Relation, Ring, arrange, crosses_itself
from oarflow.rtstruct.lint.context import Context, Drawn
from oarflow.rtstruct.lint.rules import LintFinding
from oarflow.rtstruct.model import GeometricType
from oarflow.rtstruct.outlines import MIN_RING_AREA_MM2

Vector = NDArray[np.float64]

PLANE_MM = 0.1
"""Greatest thickness in mm of a planar contour across its plane."""

AREA_ROUNDING_MM2 = 1e-6
"""Tolerance of an area: here it may be smaller than in the writing program."""

MANY_POINTS = 2000

SKIP_FACTOR = 1.5
"""A distance between contoured slices above this multiple of the usual one skips a slice."""


RELATIONS = {
    Relation.HOLDING: "NESTED_CONTOURS",
    Relation.CROSSING: "OVERLAPPING_CONTOURS",
    Relation.TOUCHING: "TOUCHING_CONTOURS",
    Relation.SAME: "DUPLICATE_CONTOURS",
}


def contour_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about single contours (type, points, shape), then about pairs of contours."""
    contours = context.contours
    closed = [c for c in contours if c.closed]
    rings = [c for c in closed if len(np.unique(c.ring, axis=0)) >= 3]
    counted = {
        "GEOMETRIC_TYPE": [c for c in contours if c.type not in set(GeometricType)],
        "POINT_COUNT": [c for c in contours if c.declared not in (None, len(c.points))],
        "TOO_FEW_POINTS": [c for c in closed if len(np.unique(c.ring, axis=0)) < 3],
        "POINTS_AND_LINES": [c for c in contours if not c.closed and c.type in set(GeometricType)],
        "FIRST_POINT_REPEATED": [c for c in closed if c.repeats_first and len(c.points) > 1],
        "DOUBLE_POINTS": [c for c in rings if _has_doubles(c)],
        "KEYHOLES": [c for c in rings if _repeated(c) >= 2],
        "MANY_POINTS": [c for c in rings if len(c.ring) > MANY_POINTS],
        "XOR_CONTOURS": [c for c in contours if c.type == GeometricType.XOR],
        "NOT_PLANAR": [c for c in rings if not _is_planar(c)],
        "NOT_AXIAL": [c for c in rings if np.ptp(c.points[:, 2]) > PLANE_MM],
        "TINY_CONTOURS": [c for c in rings if _area(c) < MIN_RING_AREA_MM2 - AREA_ROUNDING_MM2],
        "CROSSING": [c for c in rings if crosses_itself(_flat(c, _normal(c)))],
    }
    for rule, found in counted.items():
        if found:
            yield LintFinding(rule, len(found), _where(found))
    yield from _together(rings)


def _where(found: list[Drawn]) -> str:
    regions = sorted({c.roi for c in found if c.roi is not None})
    shown = ", ".join(map(str, regions[:6])) + (" and more" if len(regions) > 6 else "")
    return f"contours of regions number {shown}"


def _together(rings: list[Drawn]) -> Iterator[LintFinding]:
    lie: Counter[Relation] = Counter()
    mixed, skipped = [], []
    by_roi: dict[int | None, list[Drawn]] = defaultdict(list)
    for ring in rings:
        by_roi[ring.roi].append(ring)
    for roi, own in by_roi.items():
        if len({c.type for c in own}) > 1:
            mixed.append(roi)
        normal = _normal(max(own, key=_area))
        for on_plane in _planes(own, normal):
            lie.update(_arranged(on_plane, normal))
        if _skips(own):
            skipped.append(roi)
    for relation, rule in RELATIONS.items():
        if lie[relation]:
            yield LintFinding(rule, lie[relation], "pairs")
    if mixed:
        yield LintFinding("MIXED_HOLE_STYLES", len(mixed), "regions")
    if skipped:
        yield LintFinding("SLICES_SKIPPED", len(skipped), "regions")


def _planes(rings: list[Drawn], normal: Vector) -> Iterator[list[Drawn]]:
    """Rings of one region, grouped by plane."""
    heights = [float(ring.points.mean(axis=0) @ normal) for ring in rings]
    order = np.argsort(heights, kind="stable")
    steps = np.diff(np.array(heights)[order])
    for group in np.split(order, np.flatnonzero(steps > PLANE_MM) + 1):
        yield [rings[k] for k in sorted(group)]


def _normal(ring: Drawn) -> Vector:
    """(3,) unit vector at right angles to a ring."""
    centred = ring.ring - ring.ring.mean(axis=0)
    return np.asarray(np.linalg.svd(centred, full_matrices=False)[2][-1])


def _arranged(rings: list[Drawn], normal: Vector) -> Counter[Relation]:
    """Relations between contours of one plane; only repetitions for CLOSEDPLANAR_XOR."""
    plain = [_flat(ring, normal) for ring in rings if ring.type == GeometricType.CLOSED_PLANAR]
    exclusive = [ring for ring in rings if ring.type == GeometricType.XOR]
    found = arrange(plain)
    lie = Counter(
        relation for pair, relation in found.pairs.items() if not found.repeated & set(pair)
    )
    different = {np.unique(ring.ring, axis=0).tobytes() for ring in exclusive}
    lie[Relation.SAME] = len(found.repeated) + len(exclusive) - len(different)
    return lie


def _flat(ring: Drawn, normal: Vector) -> Ring:
    """(n, 2) coordinates in mm in the plane at right angles to the normal."""
    across = np.eye(3)[int(np.argmin(np.abs(normal)))]
    across = across - (across @ normal) * normal
    across /= np.linalg.norm(across)
    return np.asarray(ring.ring @ np.stack((across, np.cross(normal, across)), axis=1))


def _skips(rings: list[Drawn]) -> bool:
    z = np.unique(np.round([float(c.points[0, 2]) for c in rings], 2))
    steps = np.diff(z)
    return len(steps) > 1 and bool(steps.max() > SKIP_FACTOR * np.median(steps))


def _has_doubles(ring: Drawn) -> bool:
    return bool((np.diff(ring.ring, axis=0) == 0).all(axis=1).any())


def _repeated(ring: Drawn) -> int:
    """The number of repeated vertices."""
    return len(ring.ring) - len(np.unique(ring.ring, axis=0))


def _is_planar(ring: Drawn) -> bool:
    if np.ptp(ring.points, axis=0).min() <= PLANE_MM:
        return True
    return bool(np.ptp(ring.ring @ _normal(ring)) <= PLANE_MM)


def _area(ring: Drawn) -> float:
    """Enclosed area in mm2 (vector area: right in any plane)."""
    points = ring.ring - ring.ring[0]
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2)
