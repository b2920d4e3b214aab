"""Who keeps the voxels that two organs claim."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.fields import shared_voxels
from oarflow.plausibility.overlap import overlaps, settled
from oarflow.structures import Segmentation
from tests.oarflow.plausibility.scenes import GRID, ball

UPPER = ball("Brainstem", (0.0, 0.0, 100.0))
LOWER = ball("SpinalCord", (0.0, 0.0, 80.0))


def voxels(item: Segmentation) -> int:
    assert item.field is not None
    return int(np.count_nonzero(item.field.mask))


def in_common(one: Segmentation, other: Segmentation) -> int:
    assert one.field is not None
    assert other.field is not None
    return shared_voxels(one.field, other.field)


@pytest.mark.parametrize("order", [("Brainstem", "SpinalCord"), ("SpinalCord", "Brainstem")])
def test_the_first_keeps_all_and_the_other_tells_what_it_lost(order: tuple[str, str]) -> None:
    before = in_common(UPPER, LOWER)
    assert before > 0
    stem, cord = settled(GRID, (UPPER, LOWER), order)
    kept, lost = (stem, cord) if order[0] == "Brainstem" else (cord, stem)
    was = LOWER if lost.organ == "SpinalCord" else UPPER
    assert in_common(stem, cord) == 0
    assert kept in (UPPER, LOWER)
    assert voxels(was) - voxels(lost) == before
    assert lost.volume_cc == pytest.approx(was.volume_cc - before * 12 / 1000)
    assert lost.notes == (
        f"{before * 12 / 1000:.2f} cc that it shared with {kept.organ} went to that organ",
    )


def test_organs_that_no_setting_names_may_overlap() -> None:
    assert settled(GRID, (UPPER, LOWER), ("Brainstem",)) == (UPPER, LOWER)


def test_an_organ_within_another_is_not_deleted() -> None:
    inner = ball("SpinalCord", (0.0, 0.0, 100.0), 6.0)
    assert settled(GRID, (UPPER, inner), ("Brainstem", "SpinalCord")) == (UPPER, inner)
    assert inner.field is not None
    assert UPPER.field is not None
    fields = {"SpinalCord": inner.field, "Brainstem": UPPER.field}
    assert overlaps(fields, "SpinalCord") == {"Brainstem": 1.0}
