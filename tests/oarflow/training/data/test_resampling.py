"""Samples are read as serving reads them, and where their pose puts them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from oarflow.networks.card import Channel, InputRegion, Role, View
from oarflow.networks.preprocessing import image_batch
from oarflow.networks.sampling import NetworkGrid, centred_axis
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.resampling import Pose, sample, sample_ct, sample_mask
from oarflow.training.data.windowing import scale_window
from tests.oarflow.chain import save_model
from tests.oarflow.training.patients import patient


def test_a_straight_sample_is_what_serving_reads(tmp_path) -> None:  # type: ignore[no-untyped-def]
    case = patient(1)
    centre = case.centroid_mm("Parotid_L")
    y, x = centred_axis(0.0, 24, 4.0), centred_axis(0.0, 24, 4.0)
    trained = scale_window(
        sample_ct(case, Pose.straight(centre), (np.array([-3.0, 0.0, 3.0]), y, x)), (-500.0, 500.0)
    )
    card = save_model(
        tmp_path / "m", Role.SEGMENTER, ("Parotid_L",), (0.0, 4.0, 4.0), (0.0, 96.0, 96.0)
    )
    volume = volume_of(case)
    grid = NetworkGrid(centre[:1], y + centre[1], x + centre[2])
    axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
    served = image_batch(volume.hu, axes, card, grid)
    np.testing.assert_allclose(served[0], trained.numpy(), atol=1e-4)
    assert card.view is View.AXIAL
    assert card.channels[0] == Channel(offset_mm=-3.0, window=(-500.0, 500.0))
    assert card.region_from == InputRegion(source="localization")


def test_a_turned_sample_carries_its_label_along() -> None:
    case = patient(2)
    centre = case.centroid_mm("Parotid_L")
    random = np.random.default_rng(5)
    axes = (np.zeros(1), centred_axis(0.0, 24, 4.0), centred_axis(0.0, 24, 4.0))
    for _ in range(10):
        pose = Pose.random(centre + random.normal(0, 5, 3), random)
        ct = sample_ct(case, pose, axes)
        mask = sample_mask(case, "Parotid_L", pose, axes)
        assert ct[mask > 0.99].min() > 140
        bright = (ct > 75) & (ct < 200)
        assert ((mask > 0.5) == bright).float().mean() > 0.99


@pytest.mark.parametrize("seed", range(6))
def test_a_sample_is_read_where_the_pose_puts_it(seed: int) -> None:
    """Point by point, by another interpolation; also where the sample leaves the CT."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 300, (12, 20, 17)).astype(np.int16)
    spacing = np.array([2.5, 4.0, 3.5])
    pose = Pose.random(random.uniform(0.2, 0.8, 3) * values.shape * spacing, random)
    z, y, x = (np.sort(random.uniform(-30, 30, count)) for count in (4, 9, 7))
    mesh = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)
    index = (mesh @ pose.linear.T + pose.centre_mm) / spacing
    expected = ndimage.map_coordinates(
        np.pad(values + 1024.0, 1), np.moveaxis(index + 1, -1, 0), order=1, cval=0.0
    )
    found = sample(values, spacing, pose, (z, y, x), -1024.0) + 1024.0
    inside = np.all((index >= 0) & (index <= np.array(values.shape) - 1), axis=-1)
    assert inside.any()
    np.testing.assert_allclose(found.numpy()[inside], expected[inside], atol=0.5)
    outside = np.any((index <= -1) | (index >= np.array(values.shape)), axis=-1)
    assert not found.numpy()[outside].any()


def test_a_pose_never_mirrors() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        assert np.linalg.det(Pose.random(np.zeros(3), random).linear) > 0
