"""Images in a file without a name: samples are what they were of arrays in memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.image_file import with_images_on_disk
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.patients import ORGANS, patient, small


def test_shelved_patients_are_the_same_and_leave_nothing_behind(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    first, second = patient(1), patient(2)
    first = replace(first, mr=random.normal(size=first.ct.shape).astype(np.float32))
    kept = with_images_on_disk([first, second], tmp_path / "work")
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
    assert with_images_on_disk([], tmp_path) == []


def test_images_are_let_go_once_they_are_written(tmp_path: Path) -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def patients() -> Iterator[TrainingCase]:
        for number in range(6):
            assert sum(image() is not None for image in made) <= 1
            image = np.full((50, 60, 70), number, dtype=np.int16)
            made.append(weakref.ref(image))
            yield replace(patient(0), name=str(number), ct=image)
            del image

    kept = with_images_on_disk(patients(), tmp_path)
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
        for some in (cases, with_images_on_disk(cases, tmp_path))
    ]
    torch.testing.assert_close(batches[0].inputs, batches[1].inputs)
    torch.testing.assert_close(batches[0].targets, batches[1].targets)
