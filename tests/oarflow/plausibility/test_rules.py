"""Planted faults and good contours before the rules."""

from __future__ import annotations

import numpy as np
import pytest

from oarflow.geometry import Grid
from oarflow.organs import load_catalogue
from oarflow.plausibility.rules import assess
from oarflow.structures import Localization, ProbabilityField, Segmentation, Status

CATALOGUE = load_catalogue()
GRID = Grid(
    np.array([-150.0, -150.0, 0.0]) + np.arange(60)[:, None] * (0, 0, 3.0),
    np.array([1.0, 0, 0]),
    np.array([0, 1.0, 0]),
    (2.0, 2.0),
    (60, 150, 150),
)


def segmentation(
    organ: str,
    centre: tuple[float, float, float],
    half_mm: float = 14.0,
    status: Status = Status.SEGMENTED,
    localized: tuple[float, float, float] | None = None,
) -> Segmentation:
    """A cube of the organ about a centre (x, y, z) in LPS mm."""
    start = GRID.patient_to_index(np.asarray(centre) - half_mm)
    counts = [round(2 * half_mm / step) for step in (3.0, 2.0, 2.0)]
    field = ProbabilityField(
        np.ones(counts, dtype=np.float32), (round(start[0]), round(start[1]), round(start[2]))
    )
    volume = float(np.prod(counts)) * 12 / 1000
    localization = Localization(organ, True, 0.9, localized or centre, (30.0,) * 3, (0, 59))
    return Segmentation(organ, status, field, (), volume, counts[0], localization=localization)


def flags_of(*items: Segmentation) -> dict[str, tuple[Status, tuple[str, ...]]]:
    return {item.organ: (item.status, item.flags) for item in assess(GRID, items, CATALOGUE)}


GOOD = (
    segmentation("Parotid_L", (55.0, 0.0, 90.0)),
    segmentation("Parotid_R", (-55.0, 0.0, 90.0)),
    segmentation("Brainstem", (0.0, 20.0, 130.0)),
)


def test_good_contours_are_not_flagged() -> None:
    assert set(flags_of(*GOOD).values()) == {(Status.SEGMENTED, ())}


def test_swapped_sides_are_flagged_on_both() -> None:
    swapped = flags_of(
        segmentation("Parotid_L", (-55.0, 0.0, 90.0)),
        segmentation("Parotid_R", (55.0, 0.0, 90.0)),
        GOOD[2],
    )
    for organ, partner in (("Parotid_L", "Parotid_R"), ("Parotid_R", "Parotid_L")):
        assert swapped[organ] == (
            Status.SUSPICIOUS,
            (
                f"does not lie on its side of {partner}",
                "does not lie on its side of Brainstem",
            ),
        )
    assert swapped["Brainstem"][0] is Status.SEGMENTED


@pytest.mark.parametrize(("half_mm", "word"), [(6.0, "below"), (30.0, "above")])
def test_a_volume_out_of_range_is_flagged(half_mm: float, word: str) -> None:
    status, flags = flags_of(segmentation("Parotid_L", (60.0, 0.0, 90.0), half_mm))["Parotid_L"]
    assert status is Status.SUSPICIOUS
    assert word in flags[0]


def test_a_truncated_organ_may_be_small() -> None:
    small = segmentation("Parotid_L", (55.0, 0.0, 90.0), 6.0, Status.TRUNCATED)
    assert flags_of(small)["Parotid_L"][0] is Status.TRUNCATED


def test_a_contour_far_from_its_localization_is_flagged() -> None:
    strayed = segmentation("Parotid_L", (55.0, 0.0, 90.0), localized=(55.0, 0.0, 50.0))
    status, flags = flags_of(strayed)["Parotid_L"]
    assert status is Status.SUSPICIOUS
    assert [flag.split(" mm ")[1] for flag in flags] == ["from where the localizer saw the organ"]


def test_what_has_no_contour_passes_through() -> None:
    absent = Segmentation("Larynx", Status.ABSENT)
    assert assess(GRID, [absent], CATALOGUE) == (absent,)
