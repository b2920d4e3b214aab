"""Samples show the network what serving will: the right place, side, window and labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from oarflow.networks.card import Channel, Region, Role, View
from oarflow.networks.preprocessing import image_batch
from oarflow.networks.sampling import NetworkGrid, centred_axis
from oarflow.training.augmentation import IMAGE_CHANGES, crop_field, lost_planes
from oarflow.training.cases import Pose, sample, sample_ct, sample_mask
from oarflow.training.configuration import read_configuration
from oarflow.training.losses import dice_and_cross_entropy
from oarflow.training.samplers import sampler_for, scale_window
from oarflow.training.tuning import volume_of
from tests.oarflow.chain import save_model
from tests.oarflow.training.patients import ORGANS, patient, small


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
    assert card.region_from == Region(source="localization")


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


def test_batches_are_the_same_for_the_same_seed() -> None:
    sampler = sampler_for([patient(1), patient(2)], small())
    first = sampler.draw(np.random.default_rng((1, 7)))
    again = sampler.draw(np.random.default_rng((1, 7)))
    other = sampler.draw(np.random.default_rng((1, 8)))
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_the_localizer_leaves_unlabelled_organs_out() -> None:
    cases = [patient(1), patient(2, organs=("Parotid_L",))]
    sampler = sampler_for(
        cases,
        small(name="l", role="localizer", organs=list(ORGANS), spacing_mm=[5, 5, 5], batch=16),
    )
    batch = sampler.draw(np.random.default_rng(0))
    assert batch.targets.shape == (16, 2, 24, 24) or batch.targets.shape[:2] == (16, 2)
    assert batch.known[:, 0].all()
    assert 0 < int(batch.known[:, 1].sum()) < 16
    assert batch.targets[~batch.known[:, 1], 1].abs().max() == 0


def test_what_is_not_labelled_does_not_count_in_the_loss() -> None:
    logits = torch.zeros(2, 2, 8, 8, requires_grad=True)
    known = torch.tensor([[True, False], [True, True]])
    dice_and_cross_entropy(logits, torch.zeros(2, 2, 8, 8), known).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1].abs().max() == 0
    assert logits.grad[1, 1].abs().max() > 0


def test_the_loss_is_least_at_the_truth() -> None:
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:6, 2:6] = 1
    known = torch.ones(1, 1, dtype=torch.bool)
    right = dice_and_cross_entropy((truth * 2 - 1) * 20, truth, known)
    wrong = dice_and_cross_entropy((1 - truth * 2) * 20, truth, known)
    assert right < 0.01
    assert wrong > 1


@pytest.mark.parametrize("change", [change for _, change in IMAGE_CHANGES])
def test_every_change_keeps_shape_and_numbers(change) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(3)
    planes = sample_ct(
        patient(1),
        Pose.straight(np.array([48.0, 78.0, 94.0])),
        (np.array([-3.0, 0, 3]), centred_axis(0, 48, 4.0), centred_axis(0, 48, 4.0)),
    )
    changed = [change(planes, random) for _ in range(8)]
    assert all(item.shape == planes.shape and torch.isfinite(item).all() for item in changed)
    assert any(not torch.equal(item, planes) for item in changed)


def test_what_the_field_of_view_cuts_is_gone_from_the_label() -> None:
    random = np.random.default_rng(1)
    planes, masks = torch.zeros(3, 32, 32), torch.ones(1, 32, 32)
    for _ in range(10):
        cut, left = crop_field(planes, masks, random)
        assert torch.equal(cut[0] == -1024, left[0] == 0)


def test_lost_planes_spare_the_middle_one() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        lost = lost_planes(torch.zeros(5, 4, 4), random)
        assert lost[2].abs().max() == 0
        assert (lost == -1024).any()


def test_a_wrong_key_in_a_configuration_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\nwidht: 3\n")
    with pytest.raises(ValueError, match=r"mine\.yaml: "):
        read_configuration(str(path))
    with pytest.raises(ValueError, match="no configuration 'Thyroid_X'"):
        read_configuration("Thyroid_X")


def test_tables_take_any_organ_of_the_catalogue() -> None:
    known, other = (read_configuration(f"c2f_fine/{o}") for o in ("Larynx", "OpticChiasm"))
    assert (other.name, other.organs) == ("OpticChiasm", ("OpticChiasm",))
    assert other.model_copy(update={"name": "Larynx", "organs": ("Larynx",)}) == known
    with pytest.raises(ValueError, match="no configuration 'slice_paper/Mandible_Ramus_L'"):
        read_configuration("slice_paper/Mandible_Ramus_L")


@pytest.mark.parametrize("name", ["resu_compact", "c2f_axial", "localizer_axial"])
def test_organs_that_the_data_lacks_are_named_with_the_way_out(name: str) -> None:
    with pytest.raises(ValueError, match="no training case has Brainstem") as error:
        sampler_for([patient(0)], read_configuration(name))
    told = str(error.value)
    assert told.endswith("--set 'organs=[Parotid_L, Parotid_R]'")


@pytest.mark.parametrize("organ", ["Brainstem", "Parotid_R", "Bone_Mandible", "localizer_axial"])
def test_shipped_configurations_are_valid(organ: str) -> None:
    assert read_configuration(organ).name == organ
