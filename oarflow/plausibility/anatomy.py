"""Is this a head and neck, and does it lie as the header says? Asked before contouring."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.errors import Code, Finding, Refusal
from oarflow.structures import Localization

LANDMARKS = ("Brainstem", "Bone_Mandible", "Parotid_L", "Parotid_R", "Larynx")
"""Organs of head and neck alone: cord, esophagus and trachea go on into the chest."""

ENOUGH_LANDMARKS = 3
"""A localizer that knows fewer landmarks cannot tell what the scan shows."""

SURE_SCORE = 0.85
"""A landmark with a lower score is not relied on: upright heads score 0.9 and more, turned ones
show false finds of up to 0.8."""

ORDER_MARGIN_MM = 10.0
"""Landmarks that lie the wrong way round by more than this contradict the header."""

Point = tuple[float, float, float]

_ORDER = (
    ("Brainstem", "Larynx", 2, "above"),
    ("Bone_Mandible", "Larynx", 2, "above"),
    ("Brainstem", "Bone_Mandible", 1, "behind"),
    ("Parotid_L", "Parotid_R", 0, "to the left of"),
)
"""The first organ's LPS coordinate (0 x, 1 y, 2 z) is the greater one."""


def require_head_and_neck(localizations: Mapping[str, Localization]) -> None:
    """Raise Refusal WRONG_ANATOMY or POSITION_CONTRADICTS_ANATOMY where the landmarks say so."""
    known = [organ for organ in LANDMARKS if organ in localizations]
    if len(known) < ENOUGH_LANDMARKS:
        return
    places = {
        organ: localizations[organ].centroid_lps
        for organ in known
        if localizations[organ].present and localizations[organ].score >= SURE_SCORE
    }
    if not places:
        names = ", ".join(known)
        raise Refusal(Finding(Code.WRONG_ANATOMY, f"none of {names} was found with certainty"))
    contradictions = [
        Finding(Code.POSITION_CONTRADICTS_ANATOMY, f"{first} does not lie {word} {second}")
        for first, second, axis, word in _ORDER
        if _distance(places.get(first), places.get(second), axis) < -ORDER_MARGIN_MM
    ]
    if contradictions:
        raise Refusal(*contradictions)


def _distance(first: Point | None, second: Point | None, axis: int) -> float:
    """First minus second along an axis, in mm; 0 where either was not found."""
    return 0.0 if first is None or second is None else first[axis] - second[axis]
