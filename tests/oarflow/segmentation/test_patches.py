"""Which slices of the CT a 2-D network reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.geometry import Grid
from oarflow.networks.card import Role
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.patches import SLICE_STEP_MM, localized_patch, volume_patch
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization
from tests.oarflow.chain import save_model, save_models, sphere_volume


def heights(tmp_path: Path, positions_mm: list[float]) -> np.ndarray:
    """Where the network of whole slices reads a CT with slices at these heights."""
    card = save_model(
        tmp_path / "net", Role.SEGMENTER, ("Parotid_L",), (0.0, 2.0, 2.0), (0.0, 0.0, 0.0)
    )
    positions = np.zeros((len(positions_mm), 3))
    positions[:, 2] = positions_mm
    shape = (len(positions_mm), 16, 16)
    grid = Grid(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (1.0, 1.0), shape)
    patch = volume_patch(grid, card)
    assert patch.slices is not None
    assert np.array_equal(patch.grid.z_mm, np.array(positions_mm)[patch.slices])
    return patch.grid.z_mm


@pytest.mark.parametrize(
    ("positions", "read"),
    [
        ([0, 2.5, 5, 7.5], [0, 2.5, 5, 7.5]),
        ([0, 1, 2, 3, 4, 5, 6, 7], [0, 3, 6, 7]),
        ([0, 1.5, 3, 4.5, 6], [0, 3, 6]),
        ([0, 0.5, 1, 5, 6, 7, 8, 9.5], [0, 1, 5, 8, 9.5]),
        ([4], [4]),
    ],
)
def test_slices_are_skipped_only_between_near_ones(
    tmp_path: Path, positions: list[float], read: list[float]
) -> None:
    at = [float(mm) - positions[0] for mm in positions]
    assert heights(tmp_path, at).tolist() == [mm - positions[0] for mm in read]


def test_skipped_slices_are_contoured_as_their_neighbours_demand(tmp_path: Path) -> None:
    """A ball on slices 1 mm apart: on each slice its circle, from networks that read each third."""
    store = ModelStore.open(save_models(tmp_path / "models"), device="cpu")
    centre, radius = (40.0, 5.0, -1.0), 20.0
    volume = sphere_volume(
        {"Parotid_L": centre}, radius, spacing=(1.0, 1.0, 1.0), shape=(120, 128, 160)
    )
    places = localize(volume, store)
    assert SLICE_STEP_MM == 3.0
    field = Segmenter(volume, places, store).segment("Parotid_L").field
    assert field is not None
    areas = field.full_mask(volume.grid.shape).sum(axis=(1, 2))
    off_mm = volume.grid.positions_lps[:, 2] - centre[2]
    expected = np.pi * np.maximum(radius**2 - off_mm**2, 0)
    clear = np.abs(off_mm) < radius - 4
    assert np.abs(areas[clear] / expected[clear] - 1).max() < 0.1
    assert not areas[np.abs(off_mm) > radius + 3].any()
    with_second_look = Segmenter(volume, places, store, shifts=True).segment("Parotid_L").field
    assert with_second_look is not None
    assert with_second_look.steadiness is not None
    assert with_second_look.steadiness > 0.9
    assert np.array_equal(replace(with_second_look, steadiness=None).values, field.values)


def test_a_place_from_neighbours_gets_no_margin(tmp_path: Path) -> None:
    """The predicted place holds the whole organ; the localizer's ends are only near the organ's."""
    card = save_model(
        tmp_path / "net", Role.SEGMENTER, ("Parotid_L",), (0.0, 2.0, 2.0), (0.0, 64.0, 64.0)
    )
    card = card.model_copy(update={"margin_mm": 12.0})
    grid = sphere_volume({}, 1.0, spacing=(2.0, 2.0, 2.0), shape=(60, 64, 64)).grid
    seen = Localization("Parotid_L", True, 1.0, (64.0, 64.0, 60.0), (20.0, 20.0, 20.0), (25, 35))
    placed = replace(seen, by_neighbours=True)
    for found, (low, high) in ((seen, (38.0, 82.0)), (placed, (50.0, 70.0))):
        heights_mm = localized_patch(grid, [found], card).grid.z_mm
        assert abs(heights_mm.min() - low) <= SLICE_STEP_MM
        assert abs(heights_mm.max() - high) <= SLICE_STEP_MM
