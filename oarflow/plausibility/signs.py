"""Figures of a contour that can speak against it, each with the words in which it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from oarflow.faces import FACES
from oarflow.plausibility.evidence import Contour, Scene
from oarflow.plausibility.wholes import held_share
from oarflow.priors import Priors, Spread
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
"""Families that any contour can be held against, whoever drew it; the others need networks."""

Words = Callable[[float, float, Spread], str]
"""What a sign says, of the value, the limit that it passed, and the spread."""


@dataclass(frozen=True)
class Sign:
    """One figure. low, high: whether too low and too high values speak against the contour.

    least: the smallest deviation, in its own unit, that means anything.
    """

    family: Family
    least: float
    words: Words
    low: bool = True
    high: bool = True


ENOUGH_NEIGHBOURS = 2
"""Of two organs that lie oddly to each other none can be told to be the wrong one."""

AXES = ("z", "y", "x")

TOWARD = (("the feet", "the head"), ("the front", "the back"), ("the right", "the left"))


def _volume(value: float, limit: float, spread: Spread) -> str:
    word = "above" if value > limit else "below"
    return f"volume {math.exp(value):.1f} cc is {word} the plausible {math.exp(limit):.1f} cc"


def _pair(value: float, limit: float, spread: Spread) -> str:
    share = math.exp(value)
    return (
        f"its volume is {share:.2f} times that of its partner; the most is {math.exp(limit):.2f}"
        if value > limit
        else f"its volume is {share:.2f} times that of its partner; the least is "
        f"{math.exp(limit):.2f}"
    )


def _end(side: Side) -> Words:
    return lambda value, limit, spread: (
        f"ends bluntly on its {side.value} side, as if cut: {value:.0%} of its full breadth there, "
        f"usually {spread.median:.0%}"
    )


def _beyond(side: Side) -> Words:
    return lambda value, limit, spread: (
        f"goes on beyond its {side.value} side: {value:.0%} of what lies just beyond looks like "
        f"it, usually {spread.median:.0%}"
    )


def _parts(value: float, limit: float, spread: Spread) -> str:
    return f"holds only {value:.0%} of an organ that lies in it; the plausible least is {limit:.0%}"


def _toward(axis: int) -> Words:
    return lambda value, limit, spread: f"{abs(value):.0f} mm toward {TOWARD[axis][value > limit]}"


def _face(axis: int, high: bool) -> Words:
    def words(value: float, limit: float, spread: Spread) -> str:
        away = value - spread.median
        word = "further" if (away > 0) == high else "less far"
        return f"{abs(away):.0f} mm {word} toward {TOWARD[axis][high]}"

    return words


SENTENCES = {
    Family.CENTRE: "lies {} of where the localizer saw the organ",
    Family.FACES: "reaches {} than the localizer saw",
}
"""Families whose signs are told together."""


def _figure(name: str, unit: str, digits: int = 0) -> Words:
    def words(value: float, limit: float, spread: Spread) -> str:
        end = "most" if value > limit else "least"
        return f"{name} {value:.{digits}f}{unit}; the plausible {end} is {limit:.{digits}f}{unit}"

    return words


def _share(name: str) -> Words:
    return lambda value, limit, spread: (
        f"{name} {value:.1%} of it; the plausible most is {limit:.1%}"
    )


def _unlike(name: str, unit: str = "") -> Words:
    def words(value: float, limit: float, spread: Spread) -> str:
        shown = (f"{v:.0f}{unit}" if unit else f"{v:.1%}" for v in (value, limit))
        return "the CT around it is unlike the training images: {} {}, there up to {}".format(
            name, *shown
        )

    return words


def _unsure(value: float, limit: float, spread: Spread) -> str:
    return (
        f"its network is unsure: what it saw has a mean probability of {value:.2f}, usually "
        f"{spread.median:.2f}"
    )


def _unsteady(value: float, limit: float, spread: Spread) -> str:
    return (
        f"its network contours it otherwise when the patch is moved: Dice {value:.2f} with "
        f"itself, usually {spread.median:.2f}"
    )


def _blurred(value: float, limit: float, spread: Spread) -> str:
    return (
        f"its network is unsure of the border: entropy {value:.1f} bits mm across it, usually "
        f"{spread.median:.1f}"
    )


SIGNS: dict[str, Sign] = {
    "volume": Sign(Family.VOLUME, 0.1, _volume),
    "pair": Sign(Family.PAIR, 0.1, _pair),
    **{
        f"end_{side.value}": Sign(Family.ENDS, 0.05, _end(side), low=False)
        for faces in FACES
        for side in faces
    },
    **{
        f"beyond_{side.value}": Sign(Family.BEYOND, 0.05, _beyond(side), low=False)
        for faces in FACES
        for side in faces
    },
    "parts": Sign(Family.PARTS, 0.03, _parts, high=False),
    "sphericity": Sign(
        Family.SHAPE, 0.02, _figure("its shape is odd: sphericity", "", 2), high=False
    ),
    "mean_hu": Sign(Family.VOXELS, 5.0, _figure("mean of its voxels", " HU")),
    "sd_hu": Sign(Family.VOXELS, 5.0, _figure("its voxels vary by", " HU"), low=False),
    "air": Sign(Family.VOXELS, 0.005, _share("air is"), low=False),
    **{f"centre_{name}": Sign(Family.CENTRE, 1.0, _toward(axis)) for axis, name in enumerate(AXES)},
    **{
        f"face_{side.value}": Sign(Family.FACES, 2.0, _face(axis, bool(high)))
        for axis, faces in enumerate(FACES)
        for high, side in enumerate(faces)
    },
    "sure": Sign(Family.DOUBT, 0.01, _unsure, high=False),
    "steady": Sign(Family.DOUBT, 0.005, _unsteady, high=False),
    "entropy": Sign(Family.DOUBT, 0.05, _blurred, low=False),
    "metal": Sign(Family.IMAGE, 0.001, _unlike("metal in"), low=False),
    "bright": Sign(Family.IMAGE, 0.01, _unlike("bright voxels in"), low=False),
    "noise": Sign(Family.IMAGE, 1.0, _unlike("noise of", " HU"), low=False),
}
"""By name. Volumes and their ratio are logarithms (of cc); `place` stands apart, see `Place`."""


def signs(contour: Contour, scene: Scene) -> dict[str, float]:
    """The figures that can be judged: what the field of view spoils is left out."""
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


def _parts_sign(contour: Contour, scene: Scene) -> Iterator[tuple[str, float]]:
    """The least held of the organs that lie in this one, where the CT was not cut away."""
    whole = contour.item.field
    assert whole is not None
    held = np.flatnonzero(whole.mask.any(axis=(1, 2))) + whole.offset[0]
    first = held[0] if Side.INFERIOR in contour.hidden else 0
    last = held[-1] if Side.SUPERIOR in contour.hidden else scene.grid.shape[0]
    shares = [
        held_share(whole, other.item.field, slice(int(first), int(last) + 1))
        for other in scene.contours.values()
        if other.item.field and other.organ and contour.item.organ in other.organ.part_of
    ]
    known = [share for share in shares if share is not None]
    if known:
        yield "parts", min(known)


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
    """Where an organ lies along one axis, by its neighbours: the middle one of their verdicts.

    score: in standard deviations of the offset from `other`; away_mm: the same in mm.
    """

    axis: int
    score: float
    away_mm: float
    other: str

    @property
    def words(self) -> str:
        way = TOWARD[self.axis][self.away_mm > 0]
        return (
            f"lies {abs(self.away_mm):.0f} mm too far toward {way}, as seen from {self.other} "
            "and the other organs"
        )


def places(contour: Contour, scene: Scene, priors: Priors) -> list[Place]:
    """One `Place` an axis on which neighbours can tell: whole ones, of a whole organ.

    Organs learned from derived labels neither tell nor are told of: the offsets are between what
    clinics draw.
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
            # The lower middle: a single neighbour that is itself wrong accuses no one.
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
    """Size along each axis that no face of the CT cuts: what search regions are made of."""
    return {
        f"extent_{name}": contour.facts.extent_mm[axis]
        for axis, name in enumerate(AXES)
        if not contour.cut.intersection(FACES[axis])
    }
