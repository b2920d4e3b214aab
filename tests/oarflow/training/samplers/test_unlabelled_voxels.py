"""Voxels that nobody labelled teach nothing and are not judged, in every sampler and loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from oarflow import datasets
from oarflow.commands import main
from oarflow.compare.overlap import dice
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase, training_case
from oarflow.training.data.labels import LabelBlock
from oarflow.training.optimization.losses import LOSSES
from oarflow.training.samplers.selection import sampler_for
from oarflow.training.tuning.validation import overlap_counts
from tests.oarflow.datasets.made_up import STRAIGHT, write_nifti
from tests.oarflow.datasets.test_label_grids import LABELS, data_set, values
from tests.oarflow.training.configurations import NETWORK
from tests.oarflow.training.patients import ORGANS, patient, small

SOFTMAX = [name for name in LOSSES if name != "dice_and_cross_entropy"]

SAMPLERS: dict[str, Configuration] = {
    "planes": small(),
    "blocks": small(dimensions=3, offsets_mm=[0], patch_mm=[48, 96, 96], spacing_mm=[3, 4, 4]),
    "localizer": small(role="localizer", organs=list(ORGANS), region="volume"),
    "labelled slices": small(sampling="labelled_slices", offsets_mm=[0]),
    "whole slices": small(
        sampling="whole_slices", organs=list(ORGANS), offsets_mm=[0], augmentation="deformation"
    ),
    "view": small(
        role="coarse view", organs=list(ORGANS), view="axial", offsets_mm=[0], region="volume"
    ),
    "regions": small(
        dimensions=3,
        organs=list(ORGANS),
        offsets_mm=[0],
        patch_mm=[48, 96, 96],
        spacing_mm=[3, 4, 4],
        region="volume",
    ),
}


def half(case: TrainingCase) -> TrainingCase:
    """The patient, labelled on the left half alone: the organ's other voxels are not known."""
    ignored = np.zeros(case.ct.shape, dtype=bool)
    ignored[:, :, : round(case.centroid_mm("Parotid_L")[2] / 4)] = True
    return replace(case, ignored=LabelBlock.of(ignored))


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_know_where_nobody_labelled(name: str) -> None:
    configuration = SAMPLERS[name]
    cases = [patient(1), patient(2)]
    random = np.random.default_rng(5)
    plain = sampler_for(cases, configuration).draw(np.random.default_rng(5))
    batch = sampler_for([half(case) for case in cases], configuration).draw(random)
    assert plain.known.ndim == 2
    assert batch.known.shape == batch.targets.shape
    assert torch.equal(batch.inputs, plain.inputs)
    assert torch.equal(batch.targets, plain.targets)
    assert (~batch.known).any()
    assert batch.known.any()


@pytest.mark.parametrize("name", LOSSES)
def test_an_unknown_voxel_changes_nothing_and_gets_no_gradient(name: str) -> None:
    random = torch.Generator().manual_seed(3)
    extra = int(name in SOFTMAX)
    logits = torch.randn(2, 2 + extra, 6, 6, generator=random, requires_grad=True)
    targets = torch.zeros(2, 2, 6, 6)
    targets[:, 0, :3, :3] = 1
    targets[:, 1, 4:, 4:] = 1
    known = torch.ones(2, 2, 6, 6, dtype=torch.bool)
    known[:, :, :, 2:4] = False
    loss = LOSSES[name](logits, targets, known)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert not logits.grad[:, :, :, 2:4].any()
    assert logits.grad[:, :, :, :2].any()
    with torch.no_grad():
        other = logits.detach().clone()
        other[:, :, :, 2:4] += 5
        assert float(LOSSES[name](other, targets, known)) == pytest.approx(float(loss))
    if name != "boundary":  # whose distances run across what is not known
        kept = [0, 1, 4, 5]
        alone = LOSSES[name](
            logits[..., kept], targets[..., kept], torch.ones(2, 2, dtype=torch.bool)
        )
        assert float(alone) == pytest.approx(float(loss), rel=1e-5)


def test_validation_counts_known_voxels_alone() -> None:
    logits = torch.full((1, 1, 4, 4), 9.0)
    targets = torch.zeros(1, 1, 4, 4)
    targets[..., :2] = 1
    known = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    known[..., 2:] = False
    both, found, true = overlap_counts(logits, SampleBatch(logits, targets, known))[:, 0]
    assert (both, found, true) == (8, 8, 8)


def test_the_ignore_label_goes_from_the_file_to_what_is_judged(tmp_path: Path) -> None:
    data_set(tmp_path, {**LABELS, "ignore": 4})
    array = values()
    array[12:] = 4
    write_nifti(tmp_path / "labelsTr" / "a.nii.gz", array, STRAIGHT)
    case = training_case(datasets.open(tmp_path)["a"])
    whole = np.zeros(case.ct.shape, dtype=bool)
    whole[:, array[0] == 3] = True
    # The cord goes on where nobody labelled: its contour is right there, not half false.
    assert dice(case.masks["SpinalCord"], whole) < 0.8
    assert dice(case.masks["SpinalCord"], case.labelled(whole)) == 1.0


@pytest.mark.parametrize("losses", [{"dice_and_cross_entropy": 1}, {"dice": 1, "focal": 1}])
def test_a_network_is_trained_beside_voxels_that_nobody_labelled(
    tmp_path: Path, losses: dict[str, float]
) -> None:
    data = data_set(tmp_path / "data", {**LABELS, "ignore": 4})
    array = values()
    array[12:] = 4
    for name in ("a", "b"):
        write_nifti(data / "labelsTr" / f"{name}.nii.gz", array, STRAIGHT)
        image = (data / "imagesTr" / "a_0000.nii.gz").read_bytes()
        (data / "imagesTr" / f"{name}_0000.nii.gz").write_bytes(image)
    network = tmp_path / "network.yaml"
    network.write_text(yaml.safe_dump(NETWORK | {"losses": losses}))
    flags = ["--data", str(data), "--work", str(tmp_path / "runs")]
    assert main(["train", "fit", str(network), *flags]) == 0
