"""Skin: depths under a surface that is known."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.rules.rule import NotOutlined, RuleInput
from oarflow.rules.skin import shell, skin
from oarflow.structures import ProbabilityField, Status
from oarflow.volume import Volume
from tests.oarflow.rules.bodies import volume_of

RADIUS = 40.0
HEIGHTS = np.cumsum([0, *[2] * 8, *[3] * 14, *[5] * 8]) - 49.0


def ball() -> tuple[Volume, ProbabilityField, np.ndarray]:
    """A ball with a soft surface, and the distance of each voxel from its centre."""
    axis = np.arange(-48.0, 49.0)
    distance = np.sqrt(HEIGHTS[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    volume = volume_of(np.zeros(distance.shape), (3.0, 1.0, 1.0), HEIGHTS)
    values = np.clip(0.5 + (RADIUS - distance) / 2, 0, 1).astype(np.float32)
    return volume, ProbabilityField(values, (0, 0, 0)), distance


@pytest.mark.parametrize("thickness", [3.0, 5.0, 8.0])
def test_a_shell_of_even_thickness_in_three_dimensions(thickness: float) -> None:
    volume, body, distance = ball()
    found = shell(body, volume.grid, thickness)
    # The thickest slices are 5 mm: along them, the surface is known to 2.5 mm.
    surely_in = (distance < RADIUS - 2.5) & (distance > RADIUS - thickness + 2.5)
    surely_out = (distance > RADIUS + 1) | (distance < RADIUS - thickness - 2.5)
    assert found.mask[surely_in].all()
    assert not found.mask[surely_out].any()
    exact = 4 / 3 * np.pi * (RADIUS**3 - (RADIUS - thickness) ** 3) / 1000
    assert found.volume_cc(volume.grid) == pytest.approx(exact, rel=0.1)


def test_the_scan_ends_are_no_surface() -> None:
    volume = volume_of(np.zeros((6, 60, 60)), (3.0, 1.0, 1.0))
    values = np.zeros((6, 60, 60), dtype=np.float32)
    values[:, 10:50, 10:50] = 1.0
    found = shell(ProbabilityField(values, (0, 0, 0)), volume.grid, 5.0)
    assert not found.mask[:, 20:40, 20:40].any()
    assert found.mask[0, 10:14, 20:40].all()


def test_the_skin_needs_external() -> None:
    volume = volume_of(np.zeros((6, 20, 20)), (3.0, 1.0, 1.0))
    found = skin(RuleInput(volume, {}, lambda organ: None))["Skin"]
    assert isinstance(found, NotOutlined)
    assert found.status is Status.FAILED
