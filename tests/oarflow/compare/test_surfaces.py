"""Surface distances against values worked out by hand, and against surface-distance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from tests.oarflow.compare.masks import EMPTY, ONE, UNIT, block


def test_a_single_voxel_is_an_octahedron() -> None:
    # Half-edge cuts around one voxel: eight triangles, each half of |(a, b, c) x ...| of a corner.
    one = block(slice(4, 5), slice(4, 5), slice(4, 5))
    found = surface_distances(one, one, (3.0, 2.0, 1.0))
    half = np.array((1.5, 1.0, 0.5))
    corner = np.cross((half[0], -half[1], 0), (half[0], 0, -half[2]))
    assert found.mask_mm2.sum() == pytest.approx(8 * np.linalg.norm(corner) / 2)
    assert len(found.mask_mm) == 8
    assert found.hausdorff() == 0


def test_a_shifted_block_is_its_shift_away() -> None:
    mask = block(slice(2, 8), slice(2, 8), slice(2, 8))
    moved = block(slice(2, 8), slice(2, 8), slice(5, 11))
    found = surface_distances(mask, moved, (3.0, 2.0, 1.5))
    assert found.hausdorff() == pytest.approx(4.5)
    assert found.surface_dice(4.5) == 1.0
    assert found.surface_dice(0.0) < 1.0
    assert 0 < found.mean() < 4.5


def test_a_thin_spike_counts_in_the_maximum_and_not_in_hd95() -> None:
    reference = block(slice(2, 18), slice(2, 18), slice(2, 12))
    mask = reference.copy()
    mask[10, 10, 12:17] = True
    found = surface_distances(mask, reference, UNIT)
    assert found.hausdorff() == pytest.approx(5.0)
    assert found.hausdorff(95) == 0.0


def test_masks_that_fill_the_array_have_a_surface() -> None:
    full = np.ones((3, 3, 3), dtype=bool)
    found = surface_distances(full, full, UNIT)
    assert len(found.mask_mm) == 4**3 - 2**3


def test_two_empty_masks_agree() -> None:
    found = surface_distances(EMPTY, EMPTY, UNIT)
    assert (found.hausdorff(), found.hausdorff(95), found.mean()) == (0, 0, 0)
    assert found.surface_dice(1.0) == 1.0


@pytest.mark.parametrize(("mask", "reference"), [(EMPTY, ONE), (ONE, EMPTY)])
def test_one_empty_mask_agrees_in_nothing(mask: np.ndarray, reference: np.ndarray) -> None:
    found = surface_distances(mask, reference, UNIT)
    assert found.hausdorff() == found.hausdorff(95) == found.mean() == math.inf
    assert found.surface_dice(100.0) == 0.0


@pytest.mark.parametrize(
    ("mask", "reference", "spacing"),
    [
        (EMPTY.astype(np.uint8), EMPTY, UNIT),
        (EMPTY, EMPTY[1:], UNIT),
        (EMPTY[0], EMPTY[0], UNIT),
        (EMPTY, EMPTY, (1.0, 0.0, 1.0)),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: Any, reference: Any, spacing: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|differ"):
        surface_distances(mask, reference, spacing)


def test_percent_must_be_a_percentage() -> None:
    with pytest.raises(ValueError, match="percent"):
        surface_distances(ONE, ONE, UNIT).hausdorff(0)


@pytest.fixture(scope="module")
def deepmind() -> Any:
    # Release 0.1 uses names that numpy 2 removed.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "Inf", np.inf, raising=False)
        patch.setattr(np, "NaN", np.nan, raising=False)
        yield pytest.importorskip("surface_distance", reason="surface-distance is not installed")


def agree(deepmind: Any, mask: np.ndarray, reference: np.ndarray, spacing: Any) -> None:
    ours = surface_distances(mask, reference, spacing)
    theirs = deepmind.compute_surface_distances(reference, mask, spacing)
    for percent in (50, 95, 100):
        expected = deepmind.compute_robust_hausdorff(theirs, percent)
        assert ours.hausdorff(percent) == pytest.approx(expected, abs=1e-6)
    for tolerance in (0.0, 1.0, 2.0, 4.0):
        expected = deepmind.compute_surface_dice_at_tolerance(theirs, tolerance)
        assert ours.surface_dice(tolerance) == pytest.approx(expected, abs=1e-6)
    means = deepmind.compute_average_surface_distance(theirs)
    assert ours.mean() == pytest.approx(sum(means) / 2, abs=1e-6)
    assert ours.mask_mm2.sum() == pytest.approx(theirs["surfel_areas_pred"].sum(), abs=1e-3)
    assert dice(mask, reference) == pytest.approx(
        deepmind.compute_dice_coefficient(reference, mask), abs=1e-12
    )


def test_surface_distance_agrees_on_noise(deepmind: Any) -> None:
    random = np.random.default_rng(3)
    shape = (12, 13, 14)
    mask, reference = random.random(shape) > 0.5, random.random(shape) > 0.6
    agree(deepmind, mask, reference, (3.0, 1.3, 0.7))


@pytest.mark.parametrize("patient", ["pt_222", "pt_225"])
def test_surface_distance_agrees_on_organs(deepmind: Any, shared_data: Path, patient: str) -> None:
    with np.load(shared_data / "openkbp" / "validation" / f"{patient}.npz") as data:
        spacing = tuple(float(mm) for mm in data["spacing_mm"])
        for organ in ("Brainstem", "SpinalCord", "LeftParotid", "Mandible", "Larynx"):
            reference = data[organ]
            mask = np.roll(reference, (1, 0, 2), (0, 1, 2))
            mask[:, ::7] = False
            agree(deepmind, mask, reference, spacing)


@pytest.mark.parametrize("organ", ["Parotid-Lt", "Cochlea-Rt", "Optic-Nerve-Lt", "Lens-Lt"])
def test_surface_distance_agrees_on_two_observers(
    deepmind: Any, shared_data: Path, organ: str
) -> None:
    masks = []
    for observer in ("oncologist", "radiographer"):
        with np.load(shared_data / "tcia-oars" / "test" / observer / "0522c0017.npz") as data:
            spacing = tuple(float(mm) for mm in data["spacing_mm"])
            whole = np.zeros(data["shape"], dtype=bool)
            box = zip(data[f"{organ}.offset"], data[organ].shape, strict=True)
            whole[tuple(slice(int(a), int(a) + n) for a, n in box)] = data[organ]
            masks.append(whole)
    used = np.argwhere(masks[0] | masks[1])
    low, high = np.maximum(used.min(axis=0) - 3, 0), used.max(axis=0) + 4
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    agree(deepmind, masks[1][part], masks[0][part], spacing)
