"""Limits and counts of made-up comparisons, counted by hand."""

from __future__ import annotations

import math

from oarflow.evaluation.second_opinion.measuring import ComparedContour, limit_mm, limits_mm
from oarflow.evaluation.second_opinion.page import Measured, page

ORGAN = "Brainstem"


def contour(
    number: int,
    dice: float,
    mean_mm: float,
    *,
    organ: str = ORGAN,
    second: float = 0.8,
    seen: bool = False,
) -> ComparedContour:
    return ComparedContour(f"pt_{number}", organ, dice, second, mean_mm, 5 * mean_mm, seen)


GOOD = tuple(contour(number, 0.85, 1.0 + number / 100) for number in range(1, 21))
"""Twenty good contours with distances from 1.01 to 1.20 mm."""

FAILURES = (
    contour(30, 0.2, 4.0),
    contour(31, 0.3, math.inf, seen=True),
    contour(32, 0.4, 1.1, seen=True),
)
"""One far away, one that the second network does not find, one that both draw alike."""

MISSED = contour(33, 0.0, math.nan)
"""An organ that the first network does not contour."""


def of(values: list[float]) -> list[ComparedContour]:
    return [contour(number, 0.9, value) for number, value in enumerate(values)]


def made(*contours: ComparedContour, shipped: tuple[ComparedContour, ...] = ()) -> str:
    return page(Measured("imported/x", 34, contours, shipped, 3.0), "command", "date")


def row(text: str, name: str) -> list[str]:
    """The cells of the last row with a name."""
    (*_, line) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_limit_is_a_tenth_beyond_all_but_one_of_twenty() -> None:
    assert limit_mm(ORGAN, GOOD) == 1.4  # 1.1 x 1.20, upward
    assert limit_mm(ORGAN, of([1.0] * 19 + [9.0])) == 9.9
    assert limit_mm(ORGAN, of([1.0] * 20 + [9.0])) == 1.1
    assert limit_mm(ORGAN, of([1.01] * 8)) == 1.2
    assert limit_mm(ORGAN, of([1.01] * 7)) is None


def test_only_contours_that_are_good_by_both_networks_set_a_limit() -> None:
    others = (
        contour(21, 0.9, math.inf, second=0.0),
        contour(22, 0.9, 7.0, second=0.7),
        contour(23, 0.7, 7.0),
    )
    assert limits_mm([*GOOD, *others, *FAILURES, MISSED]) == {ORGAN: 1.4}


def test_both_sides_of_a_pair_share_a_limit() -> None:
    left = [contour(number, 0.9, 1.0, organ="Parotid_L") for number in range(4)]
    right = [contour(number, 0.9, 2.0, organ="Parotid_R") for number in range(4)]
    assert limits_mm([*left, *right]) == {"Parotid_L": 2.2, "Parotid_R": 2.2}


def test_the_page_counts_failures_and_good_contours() -> None:
    text = made(*GOOD, *FAILURES, MISSED, shipped=GOOD)
    assert "from 24 of the 34 tuning patients" in text
    assert row(text, "**all**")[2].startswith("2 of 3 (66.7%; 9.4% to 99.2%)")
    assert row(text, "second network learned from them")[2].startswith("1 of 2")
    assert row(text, "second network did not")[2].startswith("1 of 1")
    assert "| pt_32 | Brainstem | 0.40 | 0.80 | 1.1 | 1.4 | no | yes |" in text
    assert "| pt_31 | Brainstem | 0.30 | 0.80 | nothing found | 1.4 | yes | yes |" in text
    assert "pt_33" not in text
    assert "contoured 20 of them" in text


def test_an_organ_that_few_contours_show_has_a_guess() -> None:
    text = made(*GOOD, contour(1, 0.9, 0.5, organ="Larynx"), contour(2, 0.9, 3.1, organ="Larynx"))
    assert row(text, "Larynx")[3].startswith("1 of 2")
    assert "| **3.0** | guess |" in text


def test_a_good_contour_is_compared_with_the_limit_of_other_patients() -> None:
    """The farthest one lies above the limit of the others, though not above that of all eleven."""
    text = made(*GOOD[:10], contour(40, 0.9, 6.0))
    assert row(text, "**all**")[3].startswith("1 of 11")
    assert "The shipped networks were not measured." in text


def test_a_page_without_failures_says_so() -> None:
    text = made(*GOOD)
    assert "There is none." in text
    assert row(text, "**all**")[2] == "none"
