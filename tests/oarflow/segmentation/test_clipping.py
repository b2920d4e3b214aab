"""Organs clipped to External: nothing changes inside it."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.segmentation.clipping import clipped
from oarflow.structures import ProbabilityField, Segmentation, Status
from tests.oarflow.rules.bodies import volume_of

VOLUME = volume_of(np.zeros((5, 40, 40)), (3.0, 1.0, 1.0))


def block(organ: str, columns: slice) -> Segmentation:
    values = np.zeros((5, 40, 40), dtype=np.float32)
    values[1:4, 10:30, columns] = 0.8
    field = ProbabilityField(values, (0, 0, 0))
    return Segmentation(organ, Status.SEGMENTED).with_field(field, VOLUME.grid)


def body() -> Segmentation:
    values = np.zeros((5, 40, 20), dtype=np.float32)
    values[:, 2:38, :19] = 1.0
    values[:, 2:38, 19] = 0.4
    field = ProbabilityField(values, (0, 0, 0))
    return Segmentation("External", Status.SEGMENTED).with_field(field, VOLUME.grid)


def test_an_organ_inside_is_the_same_object() -> None:
    inside = block("Larynx", slice(5, 19))
    assert clipped(inside, body(), VOLUME.grid) is inside


def test_the_part_outside_goes_and_its_volume_is_stated() -> None:
    before = block("Larynx", slice(10, 30))
    after = clipped(before, body(), VOLUME.grid)
    assert after.field is not None
    assert np.flatnonzero(after.field.mask.any(axis=(0, 1))).tolist() == list(range(10, 19))
    assert after.volume_cc == pytest.approx(before.volume_cc * 9 / 20)
    assert after.notes == ("1.98 cc outside External were clipped",)


def test_the_surface_there_is_that_of_the_body() -> None:
    after = clipped(block("Larynx", slice(10, 30)), body(), VOLUME.grid)
    assert after.field is not None
    assert 0.39 < after.field.values[2, 20, 19] < 0.4
    assert (after.field.values[2, 20, 20:] == 0).all()


def test_an_organ_outside_as_a_whole_stays_for_a_person_to_see() -> None:
    outside = block("Larynx", slice(25, 35))
    assert clipped(outside, body(), VOLUME.grid) is outside


def test_external_is_not_clipped_to_itself() -> None:
    whole = body()
    assert clipped(whole, block("External", slice(0, 5)), VOLUME.grid) is whole
