"""Contours of one slice stack on another: boxes whose slabs are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from oarflow.datasets.planes import Planes, in_words
from oarflow.geometry import Grid
from oarflow.rtstruct.model import Contour, GeometricType, Roi
from oarflow.rtstruct.raster import Remark

SIDE = ((10.0, 10.0), (30.0, 10.0), (30.0, 20.0), (10.0, 20.0))
"""A rectangle (x, y) in mm: 10 x 5 voxels of 2 mm whose centres lie at odd millimetres."""


def grid(step: float, count: int, first: float = 0.0) -> Grid:
    """Axial slices; voxel centres at odd millimetres in plane."""
    positions = np.array([(1.0, 1.0, first + step * k) for k in range(count)])
    return Grid(positions, np.eye(3)[0], np.eye(3)[1], (2.0, 2.0), (count, 20, 20))


def box(heights: Iterable[float], shift: float = 0.0) -> Roi:
    rings = [np.array([(x + shift, y, z) for x, y in SIDE]) for z in heights]
    return Roi(1, "Larynx", tuple(Contour(ring, None) for ring in rings))


def slices(planes: Planes, roi: Roi, target: Grid) -> list[int]:
    """Slices with the box; each must have the rectangle's fifty voxels."""
    mask = planes.mask(roi, target)
    found = np.flatnonzero(mask.any(axis=(1, 2)))
    expected = np.zeros((20, 20), dtype=bool)
    expected[5:10, 5:15] = True
    assert all(np.array_equal(mask[k], expected) for k in found)
    return found.tolist()


@pytest.mark.parametrize("own", [True, False], ids=["its own CT", "without CT"])
@pytest.mark.parametrize(
    ("step", "heights", "expected"),
    [
        # Slabs of 2.5 mm from 11.25 to 26.25 mm, on slices of 3 mm: 12, 15, ... 24.
        (2.5, [12.5, 15, 17.5, 20, 22.5, 25], [4, 5, 6, 7, 8]),
        # Of 2 mm from 11 to 25 mm.
        (2.0, [12, 14, 16, 18, 20, 22, 24], [4, 5, 6, 7, 8]),
        # Of 5 mm from 7.5 to 22.5 mm.
        (5.0, [10, 15, 20], [3, 4, 5, 6, 7]),
        # The same slices, and one without contour in the middle.
        (3.0, [6, 9, 12, 18], [2, 3, 4, 6]),
    ],
)
def test_a_contour_stands_for_the_slab_it_was_drawn_on(
    own: bool, step: float, heights: list[float], expected: list[int]
) -> None:
    roi = box(heights)
    planes = Planes.of([roi], grid(step, 20) if own else None)
    assert slices(planes, roi, grid(3.0, 20)) == expected


def test_contours_of_every_second_slice_leave_the_others_empty_on_their_ct() -> None:
    roi = box([6, 12, 18])
    assert slices(Planes.of([roi], grid(3.0, 20)), roi, grid(3.0, 20)) == [2, 4, 6]


@pytest.mark.parametrize(
    ("moved", "expected"),
    [(0.0, [2, 3, 4]), (1.0, [2, 3, 4]), (1.4, [2, 3, 4]), (2.0, [3, 4, 5]), (-1.0, [2, 3, 4])],
)
def test_moved_contours_are_put_next_to_where_they_lie(moved: float, expected: list[int]) -> None:
    roi = box([6 + moved, 9 + moved, 12 + moved])
    planes = Planes.of([roi], grid(3.0, 20))
    assert slices(planes, roi, grid(3.0, 20)) == expected
    assert planes.remarks(roi, grid(3.0, 20)) == ({Remark.OFF_SLICE: 3} if moved else {})


def test_a_region_thinner_than_the_slices_is_not_lost() -> None:
    # One slab of 1 mm about 10.7 mm holds no slice of 0, 3, 6, 9, 12 mm: the nearest takes it.
    roi = box([10.7])
    assert slices(Planes.of([roi], grid(1.0, 30, 0.7)), roi, grid(3.0, 20)) == [4]
    # Beyond the last slice of 57 mm by more than half a step there is none.
    far = box([60.0])
    assert slices(Planes.of([far], None), far, grid(3.0, 20)) == []


def test_the_usual_distance_is_that_of_the_whole_structure_set() -> None:
    one, other = box([7.5]), box([5, 7.5, 10, 12.5])
    # A single contour of 2.5 mm, from 6.25 to 8.75 mm, on slices of 1 mm.
    assert slices(Planes.of([one, other], None), one, grid(1.0, 40)) == [7, 8]


def test_what_lies_otherwise_than_on_the_ct_is_counted() -> None:
    own = grid(3.0, 20)
    tilted = np.array([(x, y, 9 + 0.1 * x) for x, y in SIDE])
    roi = box([6, 9, 10.2, 75])
    roi = Roi(1, "Larynx", (*roi.contours, *box([12], 25.0).contours, Contour(tilted, None)))
    found = Planes.of([roi], own).remarks(roi, grid(2.0, 30))
    assert found == {Remark.OFF_SLICE: 1, Remark.BEYOND_IMAGE: 2, Remark.NOT_IN_PLANE: 1}
    words = in_words(found)
    assert "1 contours on no slice's plane" in words
    assert "2 contours reaching beyond the CT" in words
    assert in_words({}) == ""
    points = Roi(1, "Point", (Contour(np.ones((1, 3)), None, GeometricType.POINT),))
    assert Planes.of([points], None).remarks(points, own) == {}
    assert not Planes.of([points], None).mask(points, own).any()


def test_contours_of_an_oblique_ct_reach_an_axial_grid() -> None:
    # Slices tilted about x by 30 degrees; the box fills 12 slices of 2 mm, 20 x 24 mm in plane.
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    y, normal = np.array((0.0, c, s)), np.array((0.0, -s, c))
    positions = np.array((0.0, 10.0, 0.0)) + 2.0 * np.arange(30)[:, None] * normal
    own = Grid(positions, np.eye(3)[0], y, (2.0, 2.0), (30, 30, 30))
    ring = np.array([(9.0, 9.0), (29.0, 9.0), (29.0, 33.0), (9.0, 33.0)])
    contours = []
    for k in range(8, 20):
        points = positions[k] + ring[:, :1] * np.eye(3)[0] + ring[:, 1:] * y
        contours.append(Contour(points, None))
    roi = Roi(1, "Larynx", tuple(contours))
    positions = np.array([(-0.5, -20.0, z) for z in np.arange(0.0, 80.0)])
    target = Grid(positions, np.eye(3)[0], np.eye(3)[1], (1.0, 1.0), (80, 80, 40))
    mask = Planes.of([roi], own).mask(roi, target)
    # Its volume in voxels of 1 mm, and its centre, half-way between the corners.
    assert mask.sum() == pytest.approx(20 * 24 * 24, rel=0.03)
    centre = own.positions_lps[0] + 2.0 * 13.5 * normal + 19.0 * np.eye(3)[0] + 21.0 * y
    found = target.index_to_patient(np.argwhere(mask).mean(axis=0))
    assert found == pytest.approx(centre, abs=0.3)
