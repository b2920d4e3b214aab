"""Who keeps the voxels that two organs claim."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.plausibility.overlap import end_slivers, overlaps, settled
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
    return one.field.shared_voxels(other.field)


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
        f"{before * 12 / 1000:.2f} cc shared with {kept.organ} went to {kept.organ}",
    )


def test_organs_that_no_setting_names_may_overlap() -> None:
    assert settled(GRID, (UPPER, LOWER), ("Brainstem",)) == (UPPER, LOWER)


def test_what_is_left_of_an_end_slice_is_no_crescent() -> None:
    """The cord's end plane stands 4 mm out of the stem on one side: a sliver of it is left."""
    stem = ball("Brainstem", (4.0, 0.0, 100.0), 15.0)
    cord = ball("SpinalCord", (0.0, 0.0, 86.0), 15.0)
    _, settled_cord = settled(GRID, (stem, cord), ("Brainstem", "SpinalCord"))
    assert cord.field is not None
    assert stem.field is not None
    assert settled_cord.field is not None
    ends = [z for z in range(60) if voxels_at(settled_cord, z)]
    assert ends == list(range(ends[0], ends[-1] + 1))
    assert voxels_at(settled_cord, ends[-1]) > 0.5 * voxels_at(cord, ends[-1])
    shared_only = voxels(cord) - in_common(stem, cord)
    dropped = shared_only - voxels(settled_cord)
    assert dropped > 0
    assert settled_cord.volume_cc == pytest.approx(voxels(settled_cord) * 12 / 1000)
    assert settled_cord.slices == len(ends)
    note = settled_cord.notes[-1]
    assert note.startswith(f"{dropped * 12 / 1000:.2f} cc left over on ")
    assert note.endswith("slice(s) at its end were dropped, since Brainstem took most of them")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((5, 5, 5, 5), (5, 5, 5, 2), (3,)),
        ((5, 5, 5, 5), (5, 5, 2, 1), (2, 3)),
        ((5, 5, 5, 5), (5, 2, 5, 0), ()),  # in the middle: the organ goes on behind it
        ((5, 5, 5, 5), (2, 5, 5, 0), (0,)),
        ((4, 4, 4, 4), (4, 4, 4, 2), ()),  # just half
        ((5, 5, 5, 5), (1, 1, 2, 2), ()),  # an organ that would lose all
        ((5, 5, 0, 5), (5, 5, 0, 1), (3,)),
    ],
)
def test_slivers_are_sought_from_the_ends(
    before: tuple[int, ...], after: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert end_slivers(np.array(before), np.array(after)) == expected


def voxels_at(item: Segmentation, z: int) -> int:
    """Voxels on a slice of the CT."""
    assert item.field is not None
    k = z - item.field.offset[0]
    return int(item.field.mask[k].sum()) if 0 <= k < len(item.field.mask) else 0


def test_an_organ_within_another_is_not_deleted() -> None:
    inner = ball("SpinalCord", (0.0, 0.0, 100.0), 6.0)
    assert settled(GRID, (UPPER, inner), ("Brainstem", "SpinalCord")) == (UPPER, inner)
    assert inner.field is not None
    assert UPPER.field is not None
    fields = {"SpinalCord": inner.field, "Brainstem": UPPER.field}
    assert overlaps(fields, "SpinalCord") == {"Brainstem": 1.0}
