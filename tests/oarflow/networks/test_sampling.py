"""Reading and pasting: checked against formulas of the field that was sampled."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.networks.sampling import (
    AIR_HU,
    centred_axis,
    low_pass_sigma,
    paste,
    paste_weights,
    read,
    read_weights,
)


def test_a_linear_field_is_read_exactly_between_uneven_slices() -> None:
    z = np.array([0.0, 3.0, 6.0, 8.0, 10.0])
    y, x = np.arange(7) * 1.5, np.arange(9) * 0.8
    field = 5 * z[:, None, None] - 3 * y[:, None] + 2 * x
    targets = (np.array([1.0, 7.5, 9.2]), np.array([2.0, 4.4]), np.array([0.1, 3.3, 6.0]))
    weights = tuple(
        read_weights(source, wanted, 0.0) for source, wanted in zip((z, y, x), targets, strict=True)
    )
    found = read(field.astype(np.float32), (weights[0], weights[1], weights[2]))
    expected = 5 * targets[0][:, None, None] - 3 * targets[1][:, None] + 2 * targets[2]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_beyond_the_volume_there_is_air() -> None:
    source = np.arange(5.0)
    weights = read_weights(source, np.array([-3.0, 2.0, 30.0]), 0.0)
    one = np.eye(1, dtype=np.float32)
    found = read(np.full((5, 1, 1), 40, dtype=np.float32), (weights, one, one))
    np.testing.assert_allclose(found.ravel(), [AIR_HU, 40, AIR_HU])


def test_the_low_pass_widens_a_thin_line_by_its_variance() -> None:
    source = np.arange(101) * 0.5
    line = np.zeros(101, dtype=np.float32)
    line[50] = 1.0
    spread = read_weights(source, source, 2.0) @ line
    centre = (spread * source).sum() / spread.sum()
    variance = (spread * (source - centre) ** 2).sum() / spread.sum()
    assert centre == pytest.approx(25.0, abs=1e-4)
    linear_interpolation = 0.5**2 / 6
    assert variance == pytest.approx(2.0**2 * 0.93 + linear_interpolation, rel=0.06)


def test_a_ct_as_coarse_as_the_training_images_is_not_blurred() -> None:
    assert low_pass_sigma(2.0, 4.0) == 0.0
    assert low_pass_sigma(2.0, 5.4) == 0.0
    assert low_pass_sigma(2.0, 1.0) == pytest.approx(np.sqrt(4 - 0.25))


def test_fine_noise_does_not_reach_the_network() -> None:
    source = np.arange(200) * 0.5
    noise = np.random.default_rng(0).normal(0, 50, 200).astype(np.float32)
    targets = np.arange(10, 90, 3.0)
    smooth = read_weights(source, targets, low_pass_sigma(2.0, 0.5)) @ noise
    sharp = read_weights(source, targets, 0.0) @ noise
    assert smooth.std() < 0.45 * sharp.std()


def test_pasting_puts_each_value_back_where_it_was_read() -> None:
    ct = np.arange(60) * 1.0
    network = centred_axis(30.0, 16, 3.0)
    values = np.exp(-((network - 33.0) ** 2) / 50).astype(np.float32)
    back = paste(values[None, None, :], (None, None, paste_weights(network, ct))).ravel()
    np.testing.assert_allclose(back[30 - 22 :: 1][0], 0, atol=0.02)
    assert ct[back.argmax()] == 33.0 or abs(ct[back.argmax()] - 33.0) <= 1.5
    inside = (ct >= network[0]) & (ct <= network[-1])
    np.testing.assert_allclose(back[inside], np.interp(ct[inside], network, values), atol=1e-6)


def test_the_centred_axis_has_its_middle_at_the_centre() -> None:
    axis = centred_axis(10.0, 4, 2.0)
    np.testing.assert_allclose(axis, [7, 9, 11, 13])
