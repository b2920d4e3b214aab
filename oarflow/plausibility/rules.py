"""The rules that make a contour suspicious, each with its flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oarflow.faces import FACES
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Contour, Scene, gather
from oarflow.plausibility.exceeded import Values, exceeded, flags_of, worst_of
from oarflow.plausibility.limits import Measures, load_limits
from oarflow.plausibility.overlap import overlaps, settled
from oarflow.plausibility.sides import cuts
from oarflow.plausibility.signs import OF_IMPORTED, OF_RULES, Family, places, signs
from oarflow.plausibility.study import study_flags
from oarflow.priors import load_priors
from oarflow.structures import Segmentation, Status
from oarflow.volume import Volume

SIDE_MARGIN_MM = 5.0
"""Least distance (mm) of a left organ to the left of its right partner and of the cord."""

MIDLINE_ORGANS = ("Brainstem", "SpinalCord")

WHOLE_SHARE = 0.9
"""Least share of the volume in the largest piece of an organ."""

OVERLAP_SHARE = 0.2
"""Greatest share of an organ that may overlap with a neighbour: both are uncertain at borders."""

UNMEASURED_LIMIT_SD = 30.0
"""The limit, in standard deviations, of a family without a calibrated limit."""

X = 2


@dataclass(frozen=True, eq=False)
class Assessed:
    """The segmentations with their flags, and the flags of the whole study."""

    segmentations: tuple[Segmentation, ...]
    study_flags: tuple[Flag, ...]


@dataclass(frozen=True, eq=False)
class Judgement:
    """flags: of each contour, by organ. study: of the whole study."""

    flags: Mapping[str, tuple[Flag, ...]]
    study: tuple[Flag, ...]

    def of(self, organ: str) -> tuple[Flag, ...]:
        """All flags that concern an organ: its own and the study's."""
        return (*self.flags.get(organ, ()), *self.study)


def assess(
    volume: Volume,
    segmentations: Sequence[Segmentation],
    catalogue: Catalogue,
    precedence: Sequence[str] = (),
) -> Assessed:
    """Settle overlaps and apply every rule. A contour with a flag of its own becomes suspicious.

    precedence: organs; an earlier one keeps the voxels that it shares with a later one.
    """
    settled_items = settled(volume.grid, segmentations, precedence)
    scene = gather(volume, settled_items, catalogue)
    found = judge_all(scene, Measures(load_priors(), load_limits()))
    return Assessed(
        tuple(_assessed(item, found.flags.get(item.organ, ())) for item in settled_items),
        found.study,
    )


def judge_all(scene: Scene, measures: Measures) -> Judgement:
    """All flags of each contour and of the study."""
    flags = {organ: judge(contour, scene, measures) for organ, contour in scene.contours.items()}
    return Judgement(flags, study_flags(scene, measures, flags))


def judge(contour: Contour, scene: Scene, measures: Measures) -> tuple[Flag, ...]:
    """All flags of one contour, those without a calibrated limit first."""
    return (
        *(flag for rule in _RULES for flag in rule(contour, scene)),
        *flags_of(exceeded(contour, scene, measures, _families(contour)), contour, scene),
        *_cuts(contour, scene, measures),
        *_places(contour, scene, measures),
        *_catalogue_volume(contour, scene, measures),
    )


def _families(contour: Contour) -> frozenset[Family]:
    if contour.ruled:
        return OF_RULES
    return OF_IMPORTED if contour.imported else frozenset(Family) - {Family.IMAGE}


def _assessed(item: Segmentation, flags: Sequence[Flag]) -> Segmentation:
    if not flags:
        return item
    return replace(item, status=Status.SUSPICIOUS, flags=(*item.flags, *flags))


def _cuts(contour: Contour, scene: Scene, measures: Measures) -> Iterator[Flag]:
    limit = measures.limits.families.get(Family.CUT, UNMEASURED_LIMIT_SD)
    organ = contour.item.organ
    if contour.ruled:
        return
    found: list[tuple[float, Values]] = [
        (cut.score, {"side": cut.side.value, "deviation_sd": cut.score, "limit_sd": limit})
        for cut in cuts(signs(contour, scene), lambda name: measures.spread(organ, name))
        if cut.score > limit
    ]
    if found:
        yield Flag.of(FlagCode.CUT_SHORT, **worst_of(FlagCode.CUT_SHORT, found))


def _places(contour: Contour, scene: Scene, measures: Measures) -> Iterator[Flag]:
    limit = measures.limits.families.get(Family.PLACE, UNMEASURED_LIMIT_SD)
    found: list[tuple[float, Values]] = [
        (
            abs(place.score),
            {
                "shift_mm": abs(place.away_mm),
                "direction": FACES[place.axis][place.away_mm > 0].value,
                "other": place.other,
                "deviation_sd": abs(place.score),
                "limit_sd": limit,
            },
        )
        for place in places(contour, scene, measures.priors)
        if abs(place.score) > limit
    ]
    if found:
        yield Flag.of(FlagCode.MISPLACED, **worst_of(FlagCode.MISPLACED, found))


def _catalogue_volume(contour: Contour, scene: Scene, measures: Measures) -> Iterator[Flag]:
    """Check the catalogue's range if no measured one applies. A cut organ may be small."""
    measured = measures.spread(contour.item.organ, "volume") is not None
    if contour.organ is None or (measured and not contour.cut):
        return
    least, most = contour.organ.volume_cc
    volume = contour.facts.volume_cc
    if volume > most:
        yield Flag.of(FlagCode.VOLUME_HIGH, volume_cc=volume, limit_cc=most)
    if volume < least and not contour.cut:
        yield Flag.of(FlagCode.VOLUME_LOW, volume_cc=volume, limit_cc=least)


def _side(contour: Contour, scene: Scene) -> Iterator[Flag]:
    if contour.organ is None:
        return
    towards_left = {"L": 1.0, "R": -1.0}.get(contour.organ.laterality)
    if towards_left is None:
        return
    away = {
        other: contour.facts.centroid_mm[X] - scene.contours[other].facts.centroid_mm[X]
        for other in (contour.organ.partner, *MIDLINE_ORGANS)
        if other is not None and other in scene.contours
    }
    wrong = {name: mm for name, mm in away.items() if mm * towards_left < SIDE_MARGIN_MM}
    if wrong:
        worst = min(wrong, key=lambda name: wrong[name] * towards_left)
        yield Flag.of(
            FlagCode.WRONG_SIDE,
            distance_mm=abs(wrong[worst]),
            direction="left" if wrong[worst] > 0 else "right",
            expected="left" if towards_left > 0 else "right",
            other=worst,
            others=list(wrong),
            limit_mm=SIDE_MARGIN_MM,
        )


def _pieces(contour: Contour, scene: Scene) -> Iterator[Flag]:
    facts = contour.facts
    pair = contour.organ is not None and contour.organ.laterality == "both"
    if facts.components > 1 + pair and facts.largest_share < WHOLE_SHARE:
        yield Flag.of(
            FlagCode.SEVERAL_PIECES,
            pieces=facts.components,
            largest_share=facts.largest_share,
            limit_share=WHOLE_SHARE,
        )


def _gaps(contour: Contour, scene: Scene) -> Iterator[Flag]:
    if contour.facts.empty_slices:
        yield Flag.of(FlagCode.EMPTY_SLICES, slices=contour.facts.empty_slices)


def _overlap(contour: Contour, scene: Scene) -> Iterator[Flag]:
    fields = {
        organ: other.item.field
        for organ, other in scene.contours.items()
        if other.item.field is not None and not _nested(contour, other)
    }
    shares = overlaps(fields, contour.item.organ)
    wrong = {other: share for other, share in shares.items() if share > OVERLAP_SHARE}
    if wrong:
        worst = max(wrong, key=lambda name: wrong[name])
        yield Flag.of(
            FlagCode.OVERLAP,
            share=wrong[worst],
            other=worst,
            others=list(wrong),
            limit_share=OVERLAP_SHARE,
        )


def _nested(one: Contour, other: Contour) -> bool:
    """Whether one of the two is part of the other: a cord lies in its canal, all in External."""
    if one.organ is None or other.organ is None:
        return False
    if one is not other and "EXTERNAL" in (
        one.organ.interpreted_type,
        other.organ.interpreted_type,
    ):
        return True
    return one.organ.name in other.organ.part_of or other.organ.name in one.organ.part_of


def _clipped(contour: Contour, scene: Scene) -> Iterator[Flag]:
    if contour.item.field is not None and contour.item.field.clipped:
        yield Flag.of(FlagCode.PATCH_EDGE)


_RULES: tuple[Callable[[Contour, Scene], Iterator[Flag]], ...] = (
    _side,
    _pieces,
    _gaps,
    _overlap,
    _clipped,
)
