"""Images on the disk, labels by their blocks: samples are what they were of whole arrays."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.training.cases import Pose, TrainingCase, sample, sample_mask
from oarflow.training.labels import Label, Labels
from oarflow.training.samplers import sampler_for
from oarflow.training.shelf import shelved
from tests.oarflow.training.patients import ORGANS, patient, small


def corner_and_line() -> dict[str, np.ndarray]:
    """Labels that touch the extent's ends, and one of a single voxel's breadth."""
    corner, line = np.zeros((2, 6, 7, 8), dtype=bool)
    corner[:2, :3, 5:] = True
    line[1:5, 3, 4] = True
    return {"corner": corner, "line": line, "nothing": np.zeros_like(line)}


def test_labels_give_whole_masks_and_leave_empty_ones_out() -> None:
    masks = corner_and_line()
    labels = Labels(masks)
    assert list(labels) == ["corner", "line"]
    assert "nothing" not in labels
    for organ in labels:
        np.testing.assert_array_equal(labels[organ], masks[organ])
        np.testing.assert_array_equal(labels.label(organ).indices, np.argwhere(masks[organ]))
    assert labels.label("line").inside.shape == (6, 3, 3)
    with pytest.raises(ValueError, match="without a voxel"):
        Label.of(masks["nothing"])


@pytest.mark.parametrize("organ", ["corner", "line"])
def test_a_label_is_read_as_its_whole_mask_is(organ: str) -> None:
    random = np.random.default_rng(4)
    spacing = np.array([3.0, 2.0, 1.5])
    masks = corner_and_line()
    case = TrainingCase("a", np.zeros((6, 7, 8), dtype=np.int16), spacing, Labels(masks))
    axes = tuple(np.linspace(-9.0, 9.0, 12) for _ in range(3))
    read = 0.0
    for _ in range(20):
        pose = Pose.random(random.uniform(0, 1, 3) * case.ct.shape * spacing, random)
        whole = sample(masks[organ], spacing, pose, axes, 0.0)
        torch.testing.assert_close(sample_mask(case, organ, pose, axes), whole, atol=1e-5, rtol=0)
        read += float(whole.sum())
    assert read > 0


def test_a_cut_keeps_what_lies_in_the_box() -> None:
    mask = corner_and_line()["corner"]
    box = (slice(1, 4), slice(0, 2), slice(6, 8))
    expected = np.zeros_like(mask)
    expected[box] = mask[box]
    np.testing.assert_array_equal(Label.of(mask).cut(box).whole(), expected)
    assert not Label.of(mask).cut((slice(4, 6), slice(4, 6), slice(0, 2))).whole().any()


def test_shelved_patients_are_the_same_and_leave_nothing_behind(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    first, second = patient(1), patient(2)
    first = replace(first, mr=random.normal(size=first.ct.shape).astype(np.float32))
    kept = shelved([first, second], tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []
    for case, was in zip(kept, (first, second), strict=True):
        assert case.ct.dtype == was.ct.dtype
        np.testing.assert_array_equal(case.ct, was.ct)
        assert case.masks is was.masks
    assert first.mr is not None
    assert kept[0].mr is not None
    np.testing.assert_array_equal(kept[0].mr, first.mr)
    assert kept[1].mr is None
    with pytest.raises(ValueError, match="read-only"):
        kept[0].ct[0, 0, 0] = 1
    assert shelved([], tmp_path) == []


def test_images_are_let_go_once_they_are_written(tmp_path: Path) -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def patients() -> Iterator[TrainingCase]:
        for number in range(6):
            assert sum(image() is not None for image in made) <= 1
            image = np.full((50, 60, 70), number, dtype=np.int16)
            made.append(weakref.ref(image))
            yield replace(patient(0), name=str(number), ct=image)
            del image

    kept = shelved(patients(), tmp_path)
    assert [int(case.ct[-1, -1, -1]) for case in kept] == [0, 1, 2, 3, 4, 5]
    assert all(image() is None for image in made)


@pytest.mark.parametrize("changes", [{}, {"sampling": "labelled_slices"}])
def test_samples_of_shelved_patients_are_those_of_patients_in_memory(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    cases = [patient(number, ORGANS) for number in range(3)]
    configuration = small(**changes)
    batches = [
        sampler_for(some, configuration).draw(np.random.default_rng(7))
        for some in (cases, shelved(cases, tmp_path))
    ]
    torch.testing.assert_close(batches[0].inputs, batches[1].inputs)
    torch.testing.assert_close(batches[0].targets, batches[1].targets)
