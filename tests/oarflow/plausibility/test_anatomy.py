"""Landmarks where they belong, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.errors import Code, Refusal
from oarflow.geometry import Grid
from oarflow.networks.card import SURE_SCORE
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.structures import Localization
from oarflow.volume import Source, Volume

UPRIGHT = {
    "Brainstem": (0.0, 20.0, 130.0),
    "Bone_Mandible": (0.0, -50.0, 75.0),
    "Parotid_L": (58.0, 0.0, 90.0),
    "Parotid_R": (-58.0, 0.0, 90.0),
    "Larynx": (0.0, -15.0, 10.0),
}

Point = tuple[float, float, float]


def found(places: dict[str, Point | None]) -> dict[str, Localization]:
    return {
        organ: Localization(organ, place is not None, 0.9, place) for organ, place in places.items()
    }


def turned(x: int, y: int, z: int) -> dict[str, Point | None]:
    return {organ: (px * x, py * y, pz * z) for organ, (px, py, pz) in UPRIGHT.items()}


STEP_MM = 5.0


def block(top_mm: float = 250.0) -> Volume:
    """Tissue all over, from 60 mm below the origin to `top_mm` above it."""
    offsets = np.arange(-60.0, top_mm, STEP_MM)
    positions = np.stack([np.full(len(offsets), -150.0)] * 2 + [offsets], axis=1)
    shape = (len(offsets), 60, 60)
    grid = Grid(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (STEP_MM, STEP_MM), shape)
    hu: NDArray[np.float32] = np.full(shape, 30, dtype=np.float32)
    hu[:, :4] = -1000
    uids = tuple(f"1.2.3.{k}" for k in range(len(offsets)))
    return Volume(hu, grid, Source("1.2", "1.3", "1.4", "1.5", uids, Dataset(), ""))


def judged(
    seen: Mapping[str, Localization],
    volume: Volume | None = None,
    then: Sequence[Mapping[str, Localization]] = (),
    sure_score: float = SURE_SCORE,
) -> None:
    """Judge what is seen; `then` is seen of the scan turned, first of those that come first."""
    views = iter(then)
    require_head_and_neck(seen, volume or block(), lambda _: next(views, NOTHING), sure_score)


NOTHING = found(dict.fromkeys(UPRIGHT))


def only(*organs: str) -> dict[str, Localization]:
    return found({organ: UPRIGHT[organ] if organ in organs else None for organ in UPRIGHT})


def refusal_of(
    seen: Mapping[str, Localization],
    volume: Volume | None = None,
    then: Sequence[Mapping[str, Localization]] = (),
) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        judged(seen, volume, then)
    return refusal.value


def test_an_upright_head_passes() -> None:
    judged(found(turned(1, 1, 1)))


def test_a_scan_that_ends_above_the_larynx_passes() -> None:
    judged(only("Larynx"), block(top_mm=40.0))


def test_a_larynx_alone_in_a_whole_head_does_not() -> None:
    refusal = refusal_of(only("Larynx"))
    assert refusal.code is Code.WRONG_ANATOMY
    assert "only Larynx was found" in refusal.detail


def test_one_sure_landmark_with_others_where_they_belong_passes() -> None:
    seen = only("Parotid_L") | {
        organ: Localization(organ, True, 0.8, UPRIGHT[organ]) for organ in ("Parotid_R", "Larynx")
    }
    judged(seen)


def test_a_network_that_is_seldom_sure_says_so_on_its_card() -> None:
    unsure = {organ: Localization(organ, True, 0.75, place) for organ, place in UPRIGHT.items()}
    looks = [found(turned(1, 1, 1))]
    assert refusal_of(unsure, then=looks).code is Code.POSITION_CONTRADICTS_ANATOMY
    judged(unsure, then=looks, sure_score=0.7)
    assert refusal_of(unsure, then=[]).code is Code.WRONG_ANATOMY


@pytest.mark.parametrize("lost", ["Parotid_L", "Parotid_R"])
def test_half_a_head_is_refused(lost: str) -> None:
    volume = block()
    middle = volume.hu.shape[2] // 2
    volume.hu[:, :, slice(middle, None) if lost == "Parotid_L" else slice(middle)] = -1000
    refusal = refusal_of(only(*(set(UPRIGHT) - {lost})), volume)
    assert refusal.code is Code.WRONG_ANATOMY
    assert lost in refusal.detail


def test_a_parotid_that_was_taken_out_leaves_tissue_and_passes() -> None:
    judged(only("Brainstem", "Bone_Mandible", "Parotid_R", "Larynx"))


def test_the_front_of_a_head_alone_is_refused() -> None:
    volume = block()
    volume.hu[:, 30:] = -1000
    refusal = refusal_of(only("Bone_Mandible", "Larynx"), volume)
    assert refusal.code is Code.WRONG_ANATOMY


@pytest.mark.parametrize("before", range(5), ids="{} other turns first".format)
def test_what_is_found_once_the_scan_is_turned(before: int) -> None:
    refusal = refusal_of(NOTHING, then=[NOTHING] * before + [found(turned(1, 1, 1))])
    assert refusal.code is Code.POSITION_CONTRADICTS_ANATOMY
    assert "only if the scan is turned" in refusal.detail


def test_a_turned_scan_with_two_false_finds() -> None:
    seen = only("Brainstem", "Parotid_R")
    assert refusal_of(seen, then=[found(turned(1, 1, 1))]).code is (
        Code.POSITION_CONTRADICTS_ANATOMY
    )


def test_no_landmark_is_no_head_and_neck() -> None:
    assert refusal_of(NOTHING).code is Code.WRONG_ANATOMY


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ((1, -1, -1), {"above", "behind"}),
        ((-1, 1, -1), {"above", "to the left of"}),
        ((-1, -1, 1), {"behind", "to the left of"}),
    ],
)
def test_a_turned_head_contradicts_the_header(turn: tuple[int, int, int], words: set[str]) -> None:
    refusal = refusal_of(found(turned(*turn)))
    assert refusal.code is Code.POSITION_CONTRADICTS_ANATOMY
    said = " ".join(finding.detail for finding in refusal.findings)
    assert {word for word in ("above", "behind", "to the left of") if word in said} == words


def test_a_localizer_of_two_organs_cannot_tell() -> None:
    judged(found({"Parotid_L": None, "Parotid_R": None}))
