"""Two contours of one organ at distances that follow from a formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.plausibility.distance_limits import DistanceLimits
from oarflow.plausibility.second_opinion import with_opinion
from oarflow.structures import ModelIdentity, OpinionVerdict, Segmentation, Status
from tests.oarflow.plausibility.scenes import CATALOGUE, GRID, ball

ORGAN = "Parotid_L"
PLACE = (55.0, 0.0, 90.0)
SECOND = ModelIdentity("test/second", "1.0.0", "0" * 64)
LIMITS = DistanceLimits({ORGAN: 5.0}, 3.0, 1.5, "")
FIRST = ball(ORGAN, PLACE)
WITHOUT = Segmentation(ORGAN, Status.ABSENT)


def opinion_on(item: Segmentation, other: Segmentation) -> Segmentation:
    other = replace(other, model=SECOND, seconds=2.0)
    return with_opinion(item, other, GRID, CATALOGUE.organ(ORGAN), LIMITS)


def failed(code: FlagCode, status: Status = Status.FAILED, **values: float) -> Segmentation:
    return Segmentation(ORGAN, status, flags=(Flag.of(code, **values),))


@pytest.mark.parametrize(("radius_mm", "verdict"), [(18.0, "agrees"), (21.0, "differs")])
def test_concentric_balls_differ_by_their_radii(radius_mm: float, verdict: str) -> None:
    """Every point of one surface is as far from the other; voxels have 3 x 2 x 2 mm."""
    found = opinion_on(FIRST, ball(ORGAN, PLACE, radius_mm))
    (opinion,) = found.second_opinions
    assert opinion.mean_mm == pytest.approx(radius_mm - 15.0, abs=0.8)
    assert opinion.hd95_mm == pytest.approx(radius_mm - 15.0, abs=1.0)
    assert (opinion.verdict, opinion.limit_mm, opinion.limit_measured) == (verdict, 5.0, True)
    assert bool(found.flags) == (verdict == "differs")
    assert found.field is FIRST.field
    assert found.seconds == 2.0


def test_a_difference_is_a_flag_with_figure_limit_and_network() -> None:
    x, y, z = PLACE
    found = opinion_on(FIRST, ball(ORGAN, (x + 16.0, y, z)))
    (opinion,), (flag,) = found.second_opinions, found.flags
    assert found.status is Status.SUSPICIOUS
    assert flag.code is FlagCode.NETWORKS_DIFFER
    assert opinion.mean_mm is not None
    assert flag.values["distance_mm"] == pytest.approx(opinion.mean_mm, abs=1e-4)
    assert flag.values["limit_mm"] == 5.0
    assert flag.values["network"] == "test/second"
    assert flag.values["limit_from"] == "patients"
    assert "limit 5.0 mm" in flag.message


def test_equal_contours_agree() -> None:
    found = opinion_on(FIRST, FIRST)
    (opinion,) = found.second_opinions
    assert (opinion.verdict, opinion.mean_mm, opinion.hd95_mm) == (OpinionVerdict.AGREES, 0.0, 0.0)
    assert (found.status, found.flags) == (Status.SEGMENTED, ())


@pytest.mark.parametrize(
    "other",
    [
        failed(FlagCode.NOTHING_FOUND),
        failed(FlagCode.NOT_IN_REGION, Status.ABSENT),
        failed(FlagCode.TOO_SMALL, Status.ABSENT, volume_cc=0.1, limit_cc=1.0),
        WITHOUT,
    ],
)
def test_an_organ_that_the_second_network_does_not_find_is_suspicious(
    other: Segmentation,
) -> None:
    found = opinion_on(FIRST, other)
    assert found.status is Status.SUSPICIOUS
    assert [flag.code for flag in found.flags] == [FlagCode.SECOND_FOUND_NOTHING]
    assert found.second_opinions[0].verdict is OpinionVerdict.FOUND_NOTHING


@pytest.mark.parametrize("code", [FlagCode.NETWORK_ERROR, FlagCode.ORGAN_TIME_LIMIT])
def test_a_check_that_was_not_made_is_a_flag(code: FlagCode) -> None:
    found = opinion_on(FIRST, failed(code))
    assert found.status is Status.SUSPICIOUS
    (flag,) = found.flags
    assert flag.code is FlagCode.SECOND_FAILED
    assert flag.values["reason"] == failed(code).flags[0].short
    assert found.second_opinions[0].reason == flag.values["reason"]


def test_an_organ_that_only_the_second_network_finds_is_failed() -> None:
    found = opinion_on(WITHOUT, FIRST)
    assert found.status is Status.FAILED
    assert found.field is None
    (flag,) = found.flags
    assert flag.code is FlagCode.ONLY_SECOND_FOUND
    assert flag.values["volume_cc"] == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.05)


@pytest.mark.parametrize("other", [WITHOUT, ball(ORGAN, PLACE, 8.0)])
def test_two_networks_without_a_plausible_organ_agree(other: Segmentation) -> None:
    """A ball of 8 mm has 2 cc, less than any parotid."""
    found = opinion_on(WITHOUT, other)
    assert (found.status, found.flags) == (Status.ABSENT, ())
    assert found.second_opinions[0].verdict is OpinionVerdict.AGREES


def test_an_organ_without_a_contour_stays_so_if_the_second_network_fails() -> None:
    found = opinion_on(WITHOUT, failed(FlagCode.NETWORK_ERROR))
    assert (found.status, found.flags) == (Status.ABSENT, ())
    assert found.second_opinions[0].verdict is OpinionVerdict.FAILED


def test_every_opinion_is_kept() -> None:
    found = opinion_on(opinion_on(FIRST, FIRST), WITHOUT)
    assert [one.verdict.value for one in found.second_opinions] == ["agrees", "found_nothing"]
