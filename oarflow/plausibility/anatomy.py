"""Checks before contouring: does the CT show a head and neck, in the header's orientation?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from oarflow.errors import Code, Finding, Refusal
from oarflow.intake.limits import AIR_BELOW_HU
from oarflow.plausibility.turning import TURNS, turned
from oarflow.priors import Priors, SearchRegion, load_priors
from oarflow.structures import Localization
from oarflow.types import Point
from oarflow.volume import Volume

LANDMARKS = ("Brainstem", "Bone_Mandible", "Parotid_L", "Parotid_R", "Larynx")
"""Organs that only the head and neck has. Cord, esophagus and trachea continue into the chest."""

ENOUGH_LANDMARKS = 3
"""Least number of landmarks that a localizer must know for these checks."""

FEW = 2
"""With at most this many sure landmarks the scan is also checked in other positions. 5 of 170
training patients have no more; ten of them, turned by 90, 180 and 270 degrees, have no more."""

SEEN_SCORE = 0.7
"""Least score of a landmark that lies where a sure landmark predicts it."""

ORDER_MARGIN_MM = 10.0
"""Landmarks in the wrong order by more than this distance (mm) contradict the header."""

_WITNESSES = {
    "Parotid_L": {"Parotid_R"},
    "Parotid_R": {"Parotid_L"},
    "Brainstem": {"Bone_Mandible", "Larynx"},
}
"""By landmark: others that half a head (left, right or front) shows although it lacks this one."""

BALL_MM, EMPTY = 15.0, 0.1
"""A place is empty if less than this share of a ball of this radius (mm) is denser than air."""

Look = Callable[[Volume], Mapping[str, Localization]]
"""Returns the localizations of a volume. Only organs that the localizer sees count."""

_ORDER = (
    ("Brainstem", "Larynx", 2, "above"),
    ("Bone_Mandible", "Larynx", 2, "above"),
    ("Brainstem", "Bone_Mandible", 1, "behind"),
    ("Parotid_L", "Parotid_R", 0, "to the left of"),
)
"""Pairs of organs: the first one has the greater LPS coordinate (0 x, 1 y, 2 z)."""


def require_head_and_neck(
    localizations: Mapping[str, Localization], volume: Volume, look: Look, sure_score: float
) -> None:
    """Raise Refusal WRONG_ANATOMY or POSITION_CONTRADICTS_ANATOMY if the landmarks show it.

    localizations: those predicted from neighbours do not count.
    look: called for the volume in other positions, if few landmarks are sure.
    sure_score: least score of a sure landmark. Typical scores differ between networks, so that the
        card has this figure.
    """
    seen = _seen(localizations)
    known = [organ for organ in LANDMARKS if organ in seen]
    if len(known) < ENOUGH_LANDMARKS:
        return
    places = _sure(seen, sure_score)
    contradictions = [
        Finding(Code.POSITION_CONTRADICTS_ANATOMY, f"{first} does not lie {word} {second}")
        for first, second, axis, word in _ORDER
        if _distance(places.get(first), places.get(second), axis) < -ORDER_MARGIN_MM
    ]
    if contradictions:
        raise Refusal(*contradictions)
    if len(places) <= FEW:
        _refuse_turned(volume, look, sure_score)
    if not places:
        names = ", ".join(known)
        raise Refusal(Finding(Code.WRONG_ANATOMY, f"none of {names} was found with certainty"))
    _refuse_parts(seen, places, volume, min(SEEN_SCORE, sure_score))


def _seen(localizations: Mapping[str, Localization]) -> dict[str, Localization]:
    """The localizations that the localizer itself made."""
    return {organ: found for organ, found in localizations.items() if not found.by_neighbours}


def _sure(localizations: Mapping[str, Localization], sure_score: float) -> dict[str, Point]:
    """Centres (x, y, z) of the sure landmarks."""
    return {
        organ: found.centroid_lps
        for organ in LANDMARKS
        if (found := localizations.get(organ)) is not None
        and found.present
        and found.centroid_lps is not None
        and found.score >= sure_score
    }


def _refuse_turned(volume: Volume, look: Look, sure_score: float) -> None:
    """Refuse a volume that shows a head and neck once it is turned."""
    for turn in TURNS:
        places = _sure(_seen(look(turned(volume, turn))), sure_score)
        right = all(_distance(places.get(a), places.get(b), axis) >= 0 for a, b, axis, _ in _ORDER)
        if len(places) >= ENOUGH_LANDMARKS and right:
            detail = f"head and neck are found only if the scan is turned {turn.words}"
            raise Refusal(Finding(Code.POSITION_CONTRADICTS_ANATOMY, detail))


def _refuse_parts(
    localizations: Mapping[str, Localization],
    places: Mapping[str, Point],
    volume: Volume,
    seen_score: float,
) -> None:
    """Refuse a single landmark that lacks its neighbours, and half a head."""
    expected = _expected(localizations, places, volume, load_priors())
    for organ, witnesses in _WITNESSES.items():
        missed = organ in expected and not localizations[organ].present
        if missed and witnesses <= places.keys() and _empty(volume, expected[organ]):
            detail = f"the scan shows only air where {organ} should be"
            raise Refusal(Finding(Code.WRONG_ANATOMY, detail))
    inside = [organ for organ, region in expected.items() if _shown(volume, region)]
    seen = any(
        localizations[organ].score >= seen_score and _agrees(localizations[organ], region, volume)
        for organ, region in expected.items()
    )
    if len(places) == 1 and inside and not seen:
        detail = f"only {', '.join(places)} was found, not {', '.join(inside)} beside it"
        raise Refusal(Finding(Code.WRONG_ANATOMY, detail))


def _expected(
    localizations: Mapping[str, Localization],
    places: Mapping[str, Point],
    volume: Volume,
    priors: Priors,
) -> dict[str, SearchRegion]:
    """Predicted regions, along the volume's axes, of the landmarks that are not sure."""
    known = {}
    for organ, place in places.items():
        z, y, x = (float(mm) for mm in volume.grid.patient_to_axes(np.asarray(place)))
        known[organ] = (z, y, x)
    regions = {
        organ: priors.search_region(organ, known)
        for organ in LANDMARKS
        if organ in localizations and organ not in places
    }
    return {organ: region for organ, region in regions.items() if region is not None}


def _agrees(found: Localization, region: SearchRegion, volume: Volume) -> bool:
    """Whether a landmark that is not sure lies in its predicted region."""
    if not found.present or found.centroid_lps is None:
        return False
    at = volume.grid.patient_to_axes(np.asarray(found.centroid_lps))
    return bool(np.all(np.abs(np.subtract(at, region.centre_mm)) <= region.half_mm))


def _shown(volume: Volume, region: SearchRegion) -> bool:
    """Whether a whole region lies in the scan, without a blank slice."""
    for axis in range(3):
        extent = volume.grid.axis_mm(axis)
        centre, half = region.centre_mm[axis], region.half_mm[axis]
        if centre - half < extent[0] or centre + half > extent[-1]:
            return False
    offsets = volume.grid.axis_mm(0)
    used = np.abs(offsets - region.centre_mm[0]) <= region.half_mm[0]
    return all(plane.max() > plane.min() for plane in volume.hu[used])


def _empty(volume: Volume, region: SearchRegion) -> bool:
    """Whether the region's centre is air, well inside the scan and in slices that are not blank."""
    axes = [volume.grid.axis_mm(axis) for axis in range(3)]
    inside = []
    for extent, centre in zip(axes, region.centre_mm, strict=True):
        near = np.flatnonzero(np.abs(extent - centre) <= BALL_MM)
        if not len(near) or centre - BALL_MM < extent[0] or centre + BALL_MM > extent[-1]:
            return False
        inside.append(slice(int(near[0]), int(near[-1]) + 1))
    if any(plane.max() <= AIR_BELOW_HU for plane in volume.hu[inside[0]]):
        return False
    squares = [
        (extent[part] - centre) ** 2
        for extent, part, centre in zip(axes, inside, region.centre_mm, strict=True)
    ]
    ball = squares[0][:, None, None] + squares[1][:, None] + squares[2] <= BALL_MM**2
    return float(np.mean(volume.hu[tuple(inside)][ball] > AIR_BELOW_HU)) < EMPTY


def _distance(first: Point | None, second: Point | None, axis: int) -> float:
    """First minus second along an axis, in mm; 0 where either was not found."""
    return 0.0 if first is None or second is None else first[axis] - second[axis]
