"""The rasteriser against areas known by hand, other libraries' fills, and vendors' ways."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.draw
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from oarflow.geometry import Grid
from oarflow.rtstruct.model import Contour, GeometricType, Roi, StructureSet
from oarflow.rtstruct.raster import Remark, rasterise, rasterise_roi
from oarflow.rtstruct.scanline import Window, fill, window_of

WHOLE = Window(0, 0, 40, 40)


def square(low: float, high: float) -> np.ndarray:
    return np.array([(low, low), (low, high), (high, high), (high, low)])


def test_a_centre_on_the_edge_belongs_to_the_low_side() -> None:
    """Rows and columns 2 to 7 of a square from 2 to 8: 36 centres, not 49."""
    mask = fill(square(2, 8), WHOLE)
    assert mask.sum() == 36
    assert mask[2:8, 2:8].all()


def test_rings_that_share_an_edge_cover_each_pixel_once() -> None:
    left = np.array([(1, 1), (1, 5), (9, 7), (9, 1)], dtype=float)
    right = np.array([(1, 5), (1, 12), (9, 12), (9, 7)], dtype=float)
    whole = np.array([(1, 1), (1, 12), (9, 12), (9, 1)], dtype=float)
    assert not (fill(left, WHOLE) & fill(right, WHOLE)).any()
    assert np.array_equal(fill(left, WHOLE) | fill(right, WHOLE), fill(whole, WHOLE))


@pytest.mark.parametrize("row", [5.0, 5.5, 4.9999999])
def test_a_keyhole_is_outer_minus_inner_wherever_its_bridge_runs(row: float) -> None:
    """Outer 1.5 to 10.5 holds 81 centres, inner 4.5 to 7.5 holds 9."""
    outer = [(1.5, 1.5), (row, 1.5)]
    inner = [(row, 4.5), (7.5, 4.5), (7.5, 7.5), (4.5, 7.5), (4.5, 4.5), (row, 4.5)]
    rest = [(row, 1.5), (10.5, 1.5), (10.5, 10.5), (1.5, 10.5)]
    assert fill(np.array(outer + inner + rest), WHOLE).sum() == 72


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_any_polygon_is_filled_as_other_libraries_do(seed: int, points: int) -> None:
    """Off-grid vertices, self-crossing included: skimage counts even-odd as well."""
    ring = np.random.default_rng(seed).uniform(-6, 46, (points, 2))
    assert np.array_equal(fill(ring, WHOLE), skimage.draw.polygon2mask((40, 40), ring))


def test_a_simple_outline_is_filled_as_matplotlib_does() -> None:
    angle = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    radius = 14 + 3 * np.cos(5 * angle)
    ring = np.stack((20.21 + radius * np.sin(angle), 19.37 + radius * np.cos(angle)), axis=-1)
    centres = np.indices((40, 40)).reshape(2, -1).T
    wanted = Outline(ring).contains_points(centres).reshape(40, 40)
    assert np.array_equal(fill(ring, WHOLE), wanted)


def test_windows_hold_all_that_is_filled_and_stay_in_the_image() -> None:
    ring = square(-7.3, 12.6)
    window = window_of([ring], 40, 40)
    assert window == Window(0, 0, 13, 13)
    assert fill(ring, window).sum() == fill(ring, WHOLE).sum() == 13 * 13
    assert window_of([square(50, 60)], 40, 40).shape == (0, 0)


def test_edges_across_a_huge_distance_cost_no_memory() -> None:
    ring = np.array([(-1e8, 3.5), (1e8, 3.5), (1e8, 9.5), (-1e8, 9.5)])
    assert fill(ring, WHOLE).sum() == 40 * 6


GRID = Grid(
    positions_lps=np.array([(-20.0, -20.0, z) for z in (0.0, 3.0, 6.0, 8.0)]),
    x_direction=np.array([1.0, 0, 0]),
    y_direction=np.array([0, 1.0, 0]),
    spacing_yx=(2.0, 1.0),
    shape=(4, 20, 40),
)
UIDS = ("1.1", "1.2", "1.3", "1.4")


def ring(low: float, high: float, z: float, uid: str | None = None, **kind: object) -> Contour:
    points = [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]
    return Contour(np.array(points, dtype=float), uid, **kind)


def roi(*contours: Contour) -> Roi:
    return Roi(1, "Organ", contours)


def test_a_square_lies_where_arithmetic_says() -> None:
    """x from -5.5 to 4.5: columns 15 to 24; y the same: rows at -4 to 4, which are 8 to 12."""
    mask = rasterise_roi(roi(ring(-5.5, 4.5, 6.0, "1.3")), GRID, sop_instance_uids=UIDS)
    assert mask.offset == (2, 8, 15)
    assert mask.values.shape == (1, 5, 10)
    assert mask.values.all()
    assert mask.slices == (2,)
    assert not mask.remarks


@pytest.mark.parametrize(("nested", "voxels"), [("xor", 40), ("union", 50)])
def test_plain_nested_contours_combine_as_asked(nested: str, voxels: int) -> None:
    """Outer 5 rows of 10; inner -2.5 to 2.5 holds rows -2, 0, 2 less those under: 3 rows of 5."""
    inner = ring(-1.5, 3.5, 0.0)
    mask = rasterise_roi(roi(ring(-5.5, 4.5, 0.0), inner), GRID, nested=nested)
    assert mask.values.sum() == voxels
    assert mask.remarks == {Remark.NESTED: 1}


def test_xor_contours_make_holes_whatever_is_asked() -> None:
    kind = {"type": GeometricType.XOR}
    contours = roi(ring(-5.5, 4.5, 0.0, **kind), ring(-1.5, 3.5, 0.0, **kind))
    assert rasterise_roi(contours, GRID, nested="union").values.sum() == 40


def test_a_repeated_contour_does_not_cancel_itself() -> None:
    one = ring(-5.5, 4.5, 0.0)
    turned = Contour(np.roll(one.points_lps, 1, axis=0)[::-1], None)
    mask = rasterise_roi(roi(one, turned), GRID)
    assert mask.values.sum() == 50
    assert mask.remarks == {Remark.DUPLICATE: 1}


def test_the_plane_wins_over_a_wrong_reference() -> None:
    mask = rasterise_roi(
        roi(ring(-5, 5, 3.0, "1.4"), ring(-5, 5, 6.0, "9.9")), GRID, sop_instance_uids=UIDS
    )
    assert mask.slices == (1, 2)
    assert mask.remarks == {Remark.OTHER_IMAGE: 1, Remark.UNKNOWN_IMAGE: 1}


def test_contours_between_slices_are_left_or_moved_as_asked() -> None:
    between = roi(ring(-5, 5, 7.2))
    assert rasterise_roi(between, GRID).remarks == {Remark.OFF_SLICE: 1}
    assert rasterise_roi(between, GRID).values.size == 0
    moved = rasterise_roi(between, GRID, off_slice="nearest")
    assert moved.slices == (3,)
    assert moved.remarks == {Remark.MOVED_TO_SLICE: 1}
    outside = rasterise_roi(roi(ring(-5, 5, 20.0)), GRID, off_slice="nearest")
    assert outside.remarks == {Remark.OFF_SLICE: 1}


def test_what_has_no_area_is_counted_not_filled() -> None:
    point = Contour(np.zeros((1, 3)), None, GeometricType.POINT)
    pair = Contour(np.zeros((2, 3)), None)
    tilted = Contour(np.array([(0, 0, 0), (5, 0, 3), (5, 5, 3.0)]), None)
    mask = rasterise_roi(roi(point, pair, tilted), GRID)
    assert mask.values.size == 0
    assert mask.remarks == {
        Remark.NO_AREA: 1,
        Remark.TOO_FEW_POINTS: 1,
        Remark.NOT_IN_PLANE: 1,
    }


def test_contours_beyond_the_image_are_cut_and_counted() -> None:
    mask = rasterise_roi(roi(ring(-100, 100, 0.0)), GRID)
    assert mask.values.shape == (1, 20, 40)
    assert mask.remarks == {Remark.BEYOND_IMAGE: 1}
    assert mask.full(GRID.shape)[0].all()


def test_all_regions_come_one_by_one() -> None:
    structures = StructureSet("label", (roi(ring(-5, 5, 0.0)), roi()), None, frozenset())
    masks = [mask for _, mask in rasterise(structures, GRID)]
    assert [mask.values.any() for mask in masks] == [True, False]
