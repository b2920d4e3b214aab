"""Rules that set a contour to suspicious, each with its reason in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Contour, Scene, gather
from oarflow.plausibility.limits import Limits, load_limits
from oarflow.plausibility.overlap import overlaps, settled
from oarflow.plausibility.sides import cuts
from oarflow.plausibility.signs import SENTENCES, SIGNS, Family, places, signs
from oarflow.priors import Priors, Spread, load_priors
from oarflow.structures import Segmentation, Status
from oarflow.volume import Volume

SIDE_MARGIN_MM = 5.0
"""A left organ lies at least this much further left than its right partner and than the cord."""

MIDLINE_ORGANS = ("Brainstem", "SpinalCord")

WHOLE_SHARE = 0.9
"""An organ in pieces of which the largest holds less than this share is in doubt."""

OVERLAP_SHARE = 0.2
"""Neighbours overlap by some voxels where both are unsure; more than this share is one too many."""

ADULT_YEARS = 18.0
"""The networks learned from adults."""

ALWAYS_SAID = 30.0
"""A score at which a sign of any family speaks: what nobody measured has no such figure."""

MOST_AT_LEAST = 3
"""Where more than half of a study's contours, and so many at least, are in doubt, all are."""

X = 2


@dataclass(frozen=True, eq=False)
class Measures:
    """What contours are held against."""

    priors: Priors
    limits: Limits

    def spread(self, organ: str, sign: str) -> Spread | None:
        """A sign's spread: of the networks' own contours, or of references."""
        return self.limits.networks.get(organ, {}).get(sign) or self.priors.sign(organ, sign)


@dataclass(frozen=True)
class Flag:
    """One thing that speaks against a contour. rule: its short name."""

    rule: str
    words: str


def assess(
    volume: Volume,
    segmentations: Sequence[Segmentation],
    catalogue: Catalogue,
    precedence: Sequence[str] = (),
) -> tuple[Segmentation, ...]:
    """The segmentations with every flag that a rule raises; flagged ones become suspicious.

    precedence: organs of which an earlier one keeps what it shares with a later one.
    """
    measures = Measures(load_priors(), load_limits())
    settled_items = settled(volume.grid, segmentations, precedence)
    scene = gather(volume, settled_items, catalogue)
    flags = judge_all(scene, measures)
    return tuple(
        _assessed(item, flags[item.organ]) if item.organ in flags else item
        for item in settled_items
    )


def judge_all(scene: Scene, measures: Measures) -> dict[str, tuple[Flag, ...]]:
    """All flags of each contour; where most are in doubt, so are the others."""
    flags = {organ: judge(contour, scene, measures) for organ, contour in scene.contours.items()}
    doubted = sum(bool(found) for found in flags.values())
    if doubted < MOST_AT_LEAST or 2 * doubted <= len(flags):
        return flags
    words = f"{doubted} of the {len(flags)} contours of this study are in doubt"
    return {organ: found or (Flag("study", words),) for organ, found in flags.items()}


def judge(contour: Contour, scene: Scene, measures: Measures) -> tuple[Flag, ...]:
    """All flags of one contour, taken by itself; hard rules first."""
    flags = [Flag(name, words) for name, rule in _RULES.items() for words in rule(contour, scene)]
    return (*flags, *_spoken(contour, scene, measures))


def _assessed(item: Segmentation, flags: Iterable[Flag]) -> Segmentation:
    words = tuple(flag.words for flag in flags)
    status = Status.SUSPICIOUS if words else item.status
    return replace(item, status=status, flags=(*item.flags, *words))


def _spoken(contour: Contour, scene: Scene, measures: Measures) -> Iterator[Flag]:
    """Signs that passed the limit of their family; some families tell theirs in one sentence."""
    together: dict[Family, list[str]] = {family: [] for family in SENTENCES}
    organ = contour.item.organ
    judged = signs(contour, scene)
    for name, sign in SIGNS.items():
        spread = measures.spread(organ, name)
        limit = measures.limits.families.get(sign.family)
        if name not in judged or spread is None or limit is None:
            continue
        score = spread.score(judged[name])
        if (sign.high and score > limit) or (sign.low and score < -limit):
            bound = spread.bound(limit if score > 0 else -limit)
            words = sign.words(judged[name], bound, spread)
            if sign.family in together:
                together[sign.family].append(words)
            else:
                yield Flag(sign.family.value, words)
    for family, parts in together.items():
        if parts:
            yield Flag(family.value, SENTENCES[family].format(", ".join(parts)))
    limit = measures.limits.families.get(Family.CUT, ALWAYS_SAID)
    for cut in cuts(judged, lambda name: measures.spread(organ, name)):
        if cut.score > limit:
            yield Flag(Family.CUT.value, cut.words)
    limit = measures.limits.families.get(Family.PLACE, ALWAYS_SAID)
    for place in places(contour, scene, measures.priors):
        if abs(place.score) > limit:
            yield Flag(Family.PLACE.value, place.words)
    if "volume" not in judged or measures.spread(organ, "volume") is None:
        yield from _catalogue_volume(contour)


def _catalogue_volume(contour: Contour) -> Iterator[Flag]:
    """The catalogue's range, where no measured one applies; what is cut may be small."""
    if contour.organ is None:
        return
    least, most = contour.organ.volume_cc
    volume = contour.facts.volume_cc
    if volume > most:
        yield Flag("volume", f"volume {volume:.1f} cc is above the plausible {most:g} cc")
    if volume < least and not contour.cut:
        yield Flag("volume", f"volume {volume:.1f} cc is below the plausible {least:g} cc")


def _side(contour: Contour, scene: Scene) -> Iterator[str]:
    if contour.organ is None:
        return
    towards_left = {"L": 1.0, "R": -1.0}.get(contour.organ.laterality)
    if towards_left is None:
        return
    for other in (contour.organ.partner, *MIDLINE_ORGANS):
        if other is not None and other in scene.contours:
            there = scene.contours[other].facts.centroid_mm[X]
            if (contour.facts.centroid_mm[X] - there) * towards_left < SIDE_MARGIN_MM:
                yield f"does not lie on its side of {other}"


def _pieces(contour: Contour, scene: Scene) -> Iterator[str]:
    facts = contour.facts
    pair = contour.organ is not None and contour.organ.laterality == "both"
    if facts.components > 1 + pair and facts.largest_share < WHOLE_SHARE:
        yield f"is in {facts.components} pieces; the largest holds {facts.largest_share:.0%}"


def _gaps(contour: Contour, scene: Scene) -> Iterator[str]:
    empty = contour.facts.empty_slices
    if empty:
        yield f"{empty} slice{'s' if empty > 1 else ''} without contour in its middle"


def _overlap(contour: Contour, scene: Scene) -> Iterator[str]:
    fields = {
        organ: other.item.field
        for organ, other in scene.contours.items()
        if other.item.field is not None and not _nested(contour, other)
    }
    for other, share in overlaps(fields, contour.item.organ).items():
        if share > OVERLAP_SHARE:
            yield f"shares {share:.0%} of its volume with {other}"


def _nested(one: Contour, other: Contour) -> bool:
    """Whether one of the two is part of the other: a cord lies in its canal."""
    if one.organ is None or other.organ is None:
        return False
    return one.organ.name in other.organ.part_of or other.organ.name in one.organ.part_of


def _clipped(contour: Contour, scene: Scene) -> Iterator[str]:
    if contour.item.field is not None and contour.item.field.clipped:
        yield "runs on to the end of what its network saw: it may be larger than contoured"


def _age(contour: Contour, scene: Scene) -> Iterator[str]:
    if scene.age_years is not None and scene.age_years < ADULT_YEARS:
        yield (
            f"the patient is younger than {ADULT_YEARS:.0f} years; the networks learned from adults"
        )


_RULES: dict[str, Callable[[Contour, Scene], Iterator[str]]] = {
    "side": _side,
    "pieces": _pieces,
    "gaps": _gaps,
    "overlap": _overlap,
    "clipped": _clipped,
    "age": _age,
}
