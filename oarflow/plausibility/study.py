"""Flags of the whole study: the patient's age, the CT's look, too many flagged contours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.plausibility.evidence import Scene
from oarflow.plausibility.exceeded import Exceeded, exceeded
from oarflow.plausibility.limits import Measures
from oarflow.plausibility.signs import Family

ADULT_YEARS = 18
"""Least age in years of the training patients: adults."""

MOST_AT_LEAST = 3
"""The CT is in doubt if at least this many contours, and more than half of all, are flagged."""

_OF_IMAGE = {
    "metal": (FlagCode.IMAGE_METAL, "share", "limit_share"),
    "bright": (FlagCode.IMAGE_BRIGHT, "share", "limit_share"),
    "noise": (FlagCode.IMAGE_NOISE, "noise_hu", "limit_hu"),
}
"""By sign: the flag's code, and the names of its figure and limit."""


def study_flags(
    scene: Scene, measures: Measures, flags: Mapping[str, Sequence[Flag]]
) -> tuple[Flag, ...]:
    """All flags of the study. flags: of each contour, by organ."""
    return (*_age(scene), *_most_organs(flags), *_image(scene, measures))


def _age(scene: Scene) -> Iterator[Flag]:
    age = scene.age_years
    if age is not None and age < ADULT_YEARS:
        yield Flag.of(FlagCode.PATIENT_UNDER_18, age_years=int(age), limit_years=ADULT_YEARS)


def _most_organs(flags: Mapping[str, Sequence[Flag]]) -> Iterator[Flag]:
    flagged = sum(bool(found) for found in flags.values())
    if flagged >= MOST_AT_LEAST and 2 * flagged > len(flags):
        yield Flag.of(FlagCode.MOST_ORGANS_FLAGGED, flagged=flagged, contours=len(flags))


def _image(scene: Scene, measures: Measures) -> Iterator[Flag]:
    """One flag for each way in which the CT differs from the training CTs, at its worst organ.

    A rule's contour is left out: the look was measured around networks' and drawn contours.
    """
    found: dict[str, list[tuple[Exceeded, str]]] = {}
    for organ, contour in scene.contours.items():
        if contour.ruled:
            continue
        for one in exceeded(contour, scene, measures, (Family.IMAGE,)):
            found.setdefault(one.sign, []).append((one, organ))
    for sign, (code, figure, limit) in _OF_IMAGE.items():
        ordered = sorted(found.get(sign, []), key=lambda pair: -pair[0].score)
        if ordered:
            worst, organ = ordered[0]
            organs = [organ for _, organ in ordered]
            values = {figure: worst.value, limit: worst.limit}
            yield Flag.of(code, organ=organ, organs=organs, **values)
