"""Figures of a contour that can make it doubtful."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from oarflow.faces import FACES
from oarflow.plausibility.evidence import Contour, Scene
from oarflow.plausibility.wholes import held_share
from oarflow.priors import Priors
from oarflow.structures import Side


class Family(StrEnum):
    """Signs that share one limit, in standard deviations."""

    VOLUME = "volume"
    PAIR = "pair"
    PLACE = "place"
    ENDS = "ends"
    BEYOND = "beyond"
    PARTS = "parts"
    CUT = "cut"
    SHAPE = "shape"
    VOXELS = "voxels"
    CENTRE = "centre"
    FACES = "faces"
    DOUBT = "doubt"
    IMAGE = "image"


OF_CONTOURS = (
    Family.VOLUME,
    Family.PAIR,
    Family.PLACE,
    Family.ENDS,
    Family.BEYOND,
    Family.PARTS,
    Family.CUT,
    Family.SHAPE,
    Family.VOXELS,
    Family.IMAGE,
)
"""Families that apply to any contour, drawn by a person or a program; the others need networks."""


OF_RULES = frozenset({Family.VOLUME, Family.PAIR, Family.PARTS, Family.VOXELS})
"""Families that apply to contours of rules. The others are measured on networks' contours: their
ends, their doubt, their agreement with the localizer."""


OF_IMPORTED = frozenset(Family) - {Family.IMAGE, Family.DOUBT}
"""Families that apply to contours of imported networks. How sure a network is of good contours
differs between networks, and was measured on networks that OARflow trained."""


@dataclass(frozen=True)
class Sign:
    """One figure. low, high: whether too low and too high values make the contour doubtful.

    least: the smallest standard deviation to assume, in the figure's own unit.
    """

    family: Family
    least: float
    low: bool = True
    high: bool = True


ENOUGH_NEIGHBOURS = 2
"""Least number of neighbours: if only two organs disagree, either can be the wrong one."""

AXES = ("z", "y", "x")

SIGNS: dict[str, Sign] = {
    "volume": Sign(Family.VOLUME, 0.1),
    "pair": Sign(Family.PAIR, 0.1),
    **{
        f"end_{side.value}": Sign(Family.ENDS, 0.05, low=False) for faces in FACES for side in faces
    },
    **{
        f"beyond_{side.value}": Sign(Family.BEYOND, 0.05, low=False)
        for faces in FACES
        for side in faces
    },
    "parts": Sign(Family.PARTS, 0.03, high=False),
    "sphericity": Sign(Family.SHAPE, 0.02, high=False),
    "mean_hu": Sign(Family.VOXELS, 5.0),
    "sd_hu": Sign(Family.VOXELS, 5.0, low=False),
    "air": Sign(Family.VOXELS, 0.005, low=False),
    **{f"centre_{name}": Sign(Family.CENTRE, 1.0) for name in AXES},
    **{f"face_{side.value}": Sign(Family.FACES, 2.0) for side in Side},
    "sure": Sign(Family.DOUBT, 0.01, high=False),
    "steady": Sign(Family.DOUBT, 0.005, high=False),
    "entropy": Sign(Family.DOUBT, 0.05, low=False),
    "metal": Sign(Family.IMAGE, 0.001, low=False),
    "bright": Sign(Family.IMAGE, 0.01, low=False),
    "noise": Sign(Family.IMAGE, 1.0, low=False),
}
"""By name. Volumes and their ratio are logarithms (of cc). For `place` see `Place`."""


def signs(contour: Contour, scene: Scene) -> dict[str, float]:
    """The contour's figures, without those that the field of view's edge makes invalid."""
    facts, cut = contour.facts, contour.cut
    found = {
        "sphericity": facts.sphericity,
        "mean_hu": facts.mean_hu,
        "sd_hu": facts.sd_hu,
        "air": facts.air_share,
        "sure": facts.sure_mean,
        "entropy": facts.border_entropy,
        "metal": contour.look.metal,
        "bright": contour.look.bright,
        "noise": contour.look.noise_hu,
    }
    steadiness = contour.item.field.steadiness if contour.item.field else None
    if steadiness is not None:
        found["steady"] = steadiness
    if not cut:
        found["volume"] = math.log(facts.volume_cc)
    found |= dict(_pair_sign(contour, scene))
    found |= dict(_parts_sign(contour, scene))
    for axis, faces in enumerate(FACES):
        ends = (facts.end_low[axis], facts.end_high[axis])
        beyond = (facts.beyond_low[axis], facts.beyond_high[axis])
        for side, end, more in zip(faces, ends, beyond, strict=True):
            if side not in cut | contour.hidden:
                found |= {f"end_{side.value}": end, f"beyond_{side.value}": more}
    return found | dict(_agreement(contour))


def least_held(contour: Contour, scene: Scene) -> tuple[float, str] | None:
    """The smallest share of a contained organ that lies inside this one, and that organ's name.

    Counted only where the CT was not cut away; None where the scene has no contained organ.
    """
    whole = contour.item.field
    assert whole is not None
    held = np.flatnonzero(whole.mask.any(axis=(1, 2))) + whole.offset[0]
    first = held[0] if Side.INFERIOR in contour.hidden else 0
    last = held[-1] if Side.SUPERIOR in contour.hidden else scene.grid.shape[0]
    planes = slice(int(first), int(last) + 1)
    shares = [
        (held_share(whole, other.item.field, planes), other.item.organ)
        for other in scene.contours.values()
        if other.item.field and other.organ and contour.item.organ in other.organ.part_of
    ]
    known = [(share, organ) for share, organ in shares if share is not None]
    return min(known, default=None)


def _parts_sign(contour: Contour, scene: Scene) -> Iterator[tuple[str, float]]:
    least = least_held(contour, scene)
    if least is not None:
        yield "parts", least[0]


def _pair_sign(contour: Contour, scene: Scene) -> Iterator[tuple[str, float]]:
    partner = contour.organ.partner if contour.organ else None
    other = scene.contours.get(partner) if partner else None
    if other is not None and not contour.cut and not other.cut:
        yield "pair", math.log(contour.facts.volume_cc / other.facts.volume_cc)


def _agreement(contour: Contour) -> Iterator[tuple[str, float]]:
    facts, seen = contour.facts, contour.localized
    if seen is None:
        return
    for axis, name in enumerate(AXES):
        yield f"centre_{name}", facts.centroid_mm[axis] - seen.centre_mm[axis]
        low, high = FACES[axis]
        if low not in contour.cut:
            yield f"face_{low.value}", facts.low_mm[axis] - seen.low_mm[axis]
        if high not in contour.cut:
            yield f"face_{high.value}", facts.high_mm[axis] - seen.high_mm[axis]


@dataclass(frozen=True)
class Place:
    """An organ's displacement along one axis: the median of its neighbours' verdicts.

    score: in standard deviations of the offset from `other`; away_mm: the same in mm.
    """

    axis: int
    score: float
    away_mm: float
    other: str


def places(contour: Contour, scene: Scene, priors: Priors) -> list[Place]:
    """One `Place` for each axis on which the organ and enough neighbours are complete.

    Organs that were learned from derived labels do not take part: the offsets were measured between
    clinical contours.
    """
    found: list[Place] = []
    if contour.derived:
        return found
    for axis, faces in enumerate(FACES):
        if contour.cut.intersection(faces):
            continue
        verdicts = [
            _verdict(contour, other, axis, priors)
            for name, other in scene.contours.items()
            if name != contour.item.organ
            and not other.derived
            and not other.cut.intersection(faces)
        ]
        known = sorted((v for v in verdicts if v is not None), key=lambda place: abs(place.score))
        if len(known) >= ENOUGH_NEIGHBOURS:
            # The lower median, so that a single wrong neighbour raises no flag.
            found.append(known[(len(known) - 1) // 2])
    return found


def _verdict(contour: Contour, other: Contour, axis: int, priors: Priors) -> Place | None:
    offset = priors.offset(contour.item.organ, other.item.organ)
    if offset is None:
        return None
    away = contour.facts.centroid_mm[axis] - other.facts.centroid_mm[axis]
    spread = offset[axis]
    return Place(axis, spread.score(away), away - spread.median, other.item.organ)


def extents(contour: Contour) -> Mapping[str, float]:
    """Size along each axis on which no face of the CT cuts the organ; used for search regions."""
    return {
        f"extent_{name}": contour.facts.extent_mm[axis]
        for axis, name in enumerate(AXES)
        if not contour.cut.intersection(FACES[axis])
    }
