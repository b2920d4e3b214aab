"""Findings of contours as shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from oarflow.rtstruct.lint.context import Context, Drawn
from oarflow.rtstruct.lint.rules import Finding
from oarflow.rtstruct.model import GeometricType

PLANE_MM = 0.1
"""Greatest spread of a planar contour across its plane."""

TINY_MM2 = 0.5
"""A contour enclosing less is a speck."""

MANY_POINTS = 2000

MAX_SHAPE_POINTS = 5000
"""Contours of more points are not compared with others nor tested for crossing: time grows with
the square of their points."""

SKIP_FACTOR = 1.5
"""A step of more than so many usual ones between contoured slices skips a slice."""


def contour_findings(context: Context) -> Iterator[Finding]:
    """Types, counts and shapes of single contours, then of contours together."""
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
        "TINY_CONTOURS": [c for c in rings if _area(c) < TINY_MM2],
        "CROSSING": [c for c in rings if _crosses(c)],
    }
    for rule, found in counted.items():
        if found:
            yield Finding(rule, len(found), _where(found))
    yield from _together(rings)


def _where(found: list[Drawn]) -> str:
    regions = sorted({c.roi for c in found if c.roi is not None})
    shown = ", ".join(map(str, regions[:6])) + (" and more" if len(regions) > 6 else "")
    return f"contours of regions number {shown}"


def _together(rings: list[Drawn]) -> Iterator[Finding]:
    nested, overlapping, duplicates, mixed, skipped = 0, 0, 0, [], []
    by_roi: dict[int | None, list[Drawn]] = defaultdict(list)
    for ring in rings:
        by_roi[ring.roi].append(ring)
    for roi, own in by_roi.items():
        if len({c.type for c in own}) > 1:
            mixed.append(roi)
        planes = _planes(own)
        for on_plane in planes.values():
            plain = [c for c in on_plane if c.type == GeometricType.CLOSED_PLANAR]
            within, partly = _overlaps(plain)
            nested, overlapping = nested + within, overlapping + partly
            duplicates += len(on_plane) - len({np.sort(c.ring, 0).tobytes() for c in on_plane})
        if _skips(own):
            skipped.append(roi)
    if nested:
        yield Finding("NESTED_CONTOURS", nested, "pairs")
    if overlapping:
        yield Finding("OVERLAPPING_CONTOURS", overlapping, "pairs")
    if duplicates:
        yield Finding("DUPLICATE_CONTOURS", duplicates, "contours")
    if mixed:
        yield Finding("MIXED_HOLE_STYLES", len(mixed), "regions")
    if skipped:
        yield Finding("SLICES_SKIPPED", len(skipped), "regions")


def _planes(rings: list[Drawn]) -> dict[object, list[Drawn]]:
    """Rings by the image they name, or by z where they name none."""
    planes: dict[object, list[Drawn]] = defaultdict(list)
    for ring in rings:
        key: object = ring.images if ring.images else round(float(ring.points[0, 2]), 2)
        planes[key].append(ring)
    return planes


def _flat(ring: Drawn) -> NDArray[np.float64]:
    """(n, 2) coordinates in the ring's own plane, by dropping the axis nearest its normal."""
    extent = np.ptp(ring.ring, axis=0)
    return np.delete(ring.ring, int(np.argmin(extent)), axis=1)


def _overlaps(rings: list[Drawn]) -> tuple[int, int]:
    """Pairs of which one lies within the other (boundaries may be shared), and those that overlap.

    Of two that cover each other, both count as lying within.
    """
    if len(rings) < 2:
        return 0, 0
    areas = [
        shapely.make_valid(shapely.Polygon(_flat(ring))) for ring in rings if _is_comparable(ring)
    ]
    within = partly = 0
    for i, one in enumerate(areas):
        for other in areas[i + 1 :]:
            covered = int(shapely.covers(one, other)) + int(shapely.covers(other, one))
            within += covered
            partly += int(not covered and shapely.overlaps(one, other))
    return within, partly


def _is_comparable(ring: Drawn) -> bool:
    """Not so long, and not so often at the same places, that comparing it would take minutes."""
    return len(ring.ring) <= MAX_SHAPE_POINTS and 2 * _repeated(ring) <= len(ring.ring)


def _skips(rings: list[Drawn]) -> bool:
    z = np.unique(np.round([float(c.points[0, 2]) for c in rings], 2))
    steps = np.diff(z)
    return len(steps) > 1 and bool(steps.max() > SKIP_FACTOR * np.median(steps))


def _has_doubles(ring: Drawn) -> bool:
    return bool((np.diff(ring.ring, axis=0) == 0).all(axis=1).any())


def _repeated(ring: Drawn) -> int:
    """Vertices given more than once."""
    return len(ring.ring) - len(np.unique(ring.ring, axis=0))


def _revisited(ring: Drawn) -> int:
    """Vertices visited more than once, not in a row."""
    kept = np.concatenate(([True], (np.diff(ring.ring, axis=0) != 0).any(axis=1)))
    points = ring.ring[kept]
    return len(points) - len(np.unique(points, axis=0))


def _is_planar(ring: Drawn) -> bool:
    if np.ptp(ring.points, axis=0).min() <= PLANE_MM:
        return True
    centred = ring.ring - ring.ring.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][-1]
    return bool(np.ptp(centred @ normal) <= PLANE_MM)


def _area(ring: Drawn) -> float:
    """Enclosed area in mm2 (vector area: right in any plane)."""
    points = ring.ring - ring.ring[0]
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2)


def _crosses(ring: Drawn) -> bool:
    """Whether a ring that visits no vertex twice crosses or touches itself."""
    if not _is_comparable(ring) or _revisited(ring) or _has_doubles(ring):
        return False
    flat = _flat(ring)
    return not bool(shapely.LinearRing(flat).is_simple)
