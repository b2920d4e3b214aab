"""Combinations: no seam in a union, no overlap with what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.derived.combining import between, difference, ends_mm, intersection, union
from oarflow.derived.growing import grown
from oarflow.derived.margins import Margins
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from tests.oarflow.derived.shapes import Shape, cylinder, field_of, outline, sphere, uneven_grid

GRID = uneven_grid((1.0, 3.0), length_mm=60, pixels=40)

Mask = NDArray[np.bool_]


def mask_of(field: ProbabilityField | None, grid: Grid = GRID) -> Mask:
    return np.zeros(grid.shape, dtype=np.bool_) if field is None else field.full_mask(grid.shape)


@st.composite
def blobs(draw: st.DrawFn) -> ProbabilityField:
    """A sphere anywhere in the grid, as smooth as a network's, as steep as a mask, or between."""
    centre = tuple(draw(st.floats(15, limit)) for limit in (45, 25, 25))
    shape = sphere(draw(st.floats(4, 12)), (centre[0], centre[1], centre[2]))
    z = GRID.axis_mm(0)[:, None, None]
    distance = shape(z, GRID.axis_mm(1)[:, None], GRID.axis_mm(2))
    values = np.clip(0.5 + distance / draw(st.sampled_from([0.01, 1.0, 8.0])), 0, 1)
    return ProbabilityField(values.astype(np.float32), (0, 0, 0))


@settings(max_examples=60, deadline=None)
@given(blobs(), blobs())
def test_masks_combine_as_sets(one: ProbabilityField, other: ProbabilityField) -> None:
    a, b = mask_of(one), mask_of(other)
    joined = mask_of(union([one, other], GRID))
    assert not ((a | b) & ~joined).any()
    assert not (joined & ~ndimage.binary_dilation(a | b)).any()
    assert (mask_of(intersection([one, other], GRID)) == (a & b)).all()
    left = mask_of(difference(one, [other], GRID))
    assert not (left & b).any()
    assert not (left & ~a).any()
    assert not ((a & ~b) & ~left & ~ndimage.binary_dilation(b)).any()


@settings(max_examples=25, deadline=None)
@given(blobs(), st.floats(0.5, 4), st.floats(0.5, 4))
def test_a_ring_never_overlaps_what_it_excludes(
    field: ProbabilityField, from_mm: float, width: float
) -> None:
    inner = grown(field, GRID, Margins.uniform(from_mm))
    outer = grown(field, GRID, Margins.uniform(from_mm + width))
    assert inner is not None
    assert outer is not None
    ring = mask_of(difference(outer, [inner], GRID))
    assert not (ring & mask_of(inner)).any()
    assert not (ring & mask_of(field)).any()


def half(side: int, at: float) -> Shape:
    """The part of a cylinder on one side of the plane x = at."""
    whole = cylinder(20, 30)
    return lambda z, y, x: np.minimum(whole(z, y, x), side * (x - at))


@pytest.mark.parametrize("at", [60.0, 60.25, 60.5, 60.75, 60.999])
def test_a_union_of_touching_organs_has_no_seam(at: float) -> None:
    grid = uneven_grid((2.0, 3.0))
    left, right = field_of(half(1, at), grid), field_of(half(-1, at), grid)
    noisy = ProbabilityField(left.values - np.float32(1e-6), left.offset)
    joined = union([noisy, right], grid)
    assert joined is not None
    whole = field_of(cylinder(20, 30), grid)
    assert (joined.full_mask(grid.shape) == whole.full_mask(grid.shape)).all()
    points = outline(joined, grid)
    error = np.abs(np.hypot(points[:, 1] - 59.6, points[:, 2] - 60.2) - 20)
    assert error.mean() < 0.02
    assert error.max() < 0.5


@pytest.mark.parametrize("slope", [0.05, 0.7])
def test_a_combination_keeps_the_surfaces_below_a_pixel(slope: float) -> None:
    """Whatever the slopes of the two fields are."""
    grid = uneven_grid((2.0,))
    ball, wall = field_of(sphere(20), grid), np.broadcast_to(grid.axis_mm(2), grid.shape)
    half_space = ProbabilityField(
        np.clip(0.5 + (wall - 63.3) * slope, 0, 1).astype(np.float32), (0, 0, 0)
    )
    result = difference(ball, [half_space], grid)
    assert result is not None
    assert outline(result, grid)[:, 2].max() == pytest.approx(63.3, abs=0.01)


def test_parts_between_planes() -> None:
    grid = uneven_grid((4.0,))
    field = field_of(cylinder(15, 20), grid)  # slices at 44 to 80, ends half-way at 42 and 82
    assert ends_mm(field, grid) == (42.0, 82.0)
    part = between(field, grid, 50.0, 60.0)
    assert part is not None
    assert ends_mm(part, grid) == (50.0, 62.0)
    assert between(field, grid, 61.0, 63.0) is None
    assert between(field, grid, 90.0, 99.0) is None


def test_what_does_not_meet_leaves_nothing() -> None:
    one, other = field_of(sphere(5, (20, 10, 10)), GRID), field_of(sphere(5, (45, 30, 30)), GRID)
    assert intersection([one, other], GRID) is None
    assert difference(one, [one], GRID) is None
    apart = difference(one, [other], GRID)
    assert apart is not None
    assert (mask_of(apart) == mask_of(one)).all()
