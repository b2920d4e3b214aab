"""Landmarks where they belong, and where they do not."""

from __future__ import annotations

import pytest

from oarflow.errors import Code, Refusal
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.structures import Localization

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


def test_an_upright_head_passes() -> None:
    require_head_and_neck(found(turned(1, 1, 1)))


def test_a_scan_that_begins_at_the_larynx_passes() -> None:
    require_head_and_neck(found({**dict.fromkeys(UPRIGHT), "Larynx": UPRIGHT["Larynx"]}))


def test_no_landmark_is_no_head_and_neck() -> None:
    with pytest.raises(Refusal) as refusal:
        require_head_and_neck(found(dict.fromkeys(UPRIGHT)))
    assert refusal.value.code is Code.WRONG_ANATOMY


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ((1, -1, -1), {"above", "behind"}),
        ((-1, 1, -1), {"above", "to the left of"}),
        ((-1, -1, 1), {"behind", "to the left of"}),
    ],
)
def test_a_turned_head_contradicts_the_header(turn: tuple[int, int, int], words: set[str]) -> None:
    with pytest.raises(Refusal) as refusal:
        require_head_and_neck(found(turned(*turn)))
    assert refusal.value.code is Code.POSITION_CONTRADICTS_ANATOMY
    said = " ".join(finding.detail for finding in refusal.value.findings)
    assert {word for word in ("above", "behind", "to the left of") if word in said} == words


def test_a_localizer_of_two_organs_cannot_tell() -> None:
    require_head_and_neck(found({"Parotid_L": None, "Parotid_R": None}))
