"""Facts of bodies whose figures follow from a formula."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from oarflow.geometry import Grid
from oarflow.plausibility.facts import Facts, measure
from oarflow.structures import ProbabilityField
from tests.oarflow.plausibility.scenes import GRID, SHAPE, ball, volume

CENTRE = (10.0, -20.0, 90.0)


def facts(field: ProbabilityField, hu: float = 0.0) -> Facts:
    return measure(volume(hu).hu, GRID, field)


def brick(z: slice, y: slice, x: slice) -> ProbabilityField:
    values = np.zeros(SHAPE, dtype=np.float32)
    values[z, y, x] = 1.0
    return ProbabilityField(values, (0, 0, 0))


def field_of(radius_mm: float, sure: float = 0.95) -> ProbabilityField:
    field = ball("Brainstem", CENTRE, radius_mm, sure=sure).field
    assert field is not None
    return field


def test_a_ball() -> None:
    found = facts(field_of(30.0))
    assert found.volume_cc == pytest.approx(4 / 3 * math.pi * 27, rel=0.02)
    assert found.sphericity == pytest.approx(1.0, abs=0.05)
    assert found.centroid_mm == pytest.approx((90.0, 130.0, 160.0), abs=0.5)
    assert found.extent_mm == pytest.approx((60.0, 60.0, 60.0), abs=3.1)
    assert (found.components, found.empty_slices, found.largest_share) == (1, 0, 1.0)
    assert max(*found.end_low, *found.end_high) < 0.4


def test_a_brick_ends_bluntly_and_has_no_balls_shape() -> None:
    found = facts(brick(slice(10, 20), slice(20, 60), slice(50, 55)))
    assert found.volume_cc == pytest.approx(30 * 80 * 10 / 1000)
    assert (*found.end_low, *found.end_high) == pytest.approx((1.0,) * 6)
    surface = 2 * (30 * 80 + 30 * 10 + 80 * 10) * 2 / 3
    assert found.sphericity == pytest.approx(math.cbrt(math.pi) * (6 * 24000) ** (2 / 3) / surface)
    assert found.low_mm == pytest.approx((10 * 3 - 1.5, 20 * 2 - 1, 50 * 2 - 1))


def test_pieces_and_gaps() -> None:
    field = brick(slice(10, 20), slice(20, 40), slice(50, 70))
    values = field.values.copy()
    values[14:16] = 0.0
    found = facts(replace(field, values=values))
    assert (found.components, found.empty_slices, found.largest_share) == (2, 2, 0.5)


def test_voxels_below_the_mask() -> None:
    hu = volume(-500.0).hu
    hu[:15] = 100.0
    found = measure(hu, GRID, brick(slice(10, 20), slice(20, 40), slice(50, 70)))
    assert found.mean_hu == pytest.approx(-200.0)
    assert found.sd_hu == pytest.approx(300.0)
    assert found.air_share == pytest.approx(0.5)


def test_what_the_network_believed() -> None:
    assert facts(field_of(12.0, sure=0.8)).sure_mean == pytest.approx(0.8)
    assert facts(field_of(12.0, sure=0.99)).border_entropy == 0.0


@pytest.mark.parametrize("step_mm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("blur_mm", [2.0, 3.0])
def test_a_border_s_entropy_does_not_hang_on_the_voxels(step_mm: float, blur_mm: float) -> None:
    """A ball whose probability falls as a logistic curve of the distance; its integral by hand."""
    count = round(120 / step_mm)
    grid = Grid(
        np.arange(count)[:, None] * np.array((0.0, 0.0, step_mm)),
        np.array([1.0, 0, 0]),
        np.array([0, 1.0, 0]),
        (step_mm, step_mm),
        (count,) * 3,
    )
    mm = np.arange(count) * step_mm - 60.0
    distance = np.sqrt(mm[:, None, None] ** 2 + mm[:, None] ** 2 + mm**2)
    p = 1 / (1 + np.exp((distance - 30.0) / blur_mm))
    field = ProbabilityField(p.astype(np.float32), (0, 0, 0))
    found = measure(np.zeros(p.shape, dtype=np.float32), grid, field)
    u = np.linspace(-math.log(9), math.log(9), 2001)
    s = 1 / (1 + np.exp(-u))
    bits = np.trapezoid(-s * np.log2(s) - (1 - s) * np.log2(1 - s), u)
    assert found.border_entropy == pytest.approx(bits * blur_mm, rel=0.1)


def test_nothing_has_no_facts() -> None:
    with pytest.raises(ValueError, match="empty"):
        facts(ProbabilityField(np.zeros((2, 2, 2), dtype=np.float32), (0, 0, 0)))
