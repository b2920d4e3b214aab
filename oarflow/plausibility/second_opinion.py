"""A second network's contour of an organ, compared with the organ's own contour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oarflow.compare.fields import field_distances
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.organs import Organ
from oarflow.plausibility.distance_limits import DistanceLimits
from oarflow.structures import OpinionVerdict, SecondOpinion, Segmentation, Status

NOTHING_THERE = frozenset({FlagCode.NOTHING_FOUND, FlagCode.NOT_IN_REGION, FlagCode.TOO_SMALL})
"""Flags of an organ that a network searched for and did not find."""


def with_opinion(
    item: Segmentation, other: Segmentation, grid: Grid, organ: Organ, limits: DistanceLimits
) -> Segmentation:
    """The organ with the opinion of a second network, and with a flag unless both agree.

    With such a flag, a contour is suspicious and an organ without a contour is failed. other: the
    organ by the second network; its contour is not kept. Distances take the slices as evenly
    spaced.
    """
    opinion = _opinion(item, other, grid, organ, limits)
    flags = tuple(_flags(opinion, contoured=item.field is not None))
    flagged = Status.FAILED if item.field is None else Status.SUSPICIOUS
    return replace(
        item,
        status=flagged if flags else item.status,
        flags=(*item.flags, *flags),
        seconds=item.seconds + other.seconds,
        second_opinions=(*item.second_opinions, opinion),
    )


def _opinion(
    item: Segmentation, other: Segmentation, grid: Grid, organ: Organ, limits: DistanceLimits
) -> SecondOpinion:
    assert other.model is not None
    opinion = SecondOpinion(
        other.model, OpinionVerdict.AGREES, other.volume_cc, seconds=other.seconds
    )
    if other.field is None:
        if not NOTHING_THERE.issuperset(flag.code for flag in other.flags):
            reason = "; ".join(flag.short for flag in other.flags)
            return replace(opinion, verdict=OpinionVerdict.FAILED, reason=reason)
        if item.field is not None:
            return replace(opinion, verdict=OpinionVerdict.FOUND_NOTHING)
        return opinion
    if item.field is None:
        # A smaller find is usually an error, and no reason to look for the organ.
        if other.volume_cc >= organ.volume_cc[0]:
            return replace(opinion, verdict=OpinionVerdict.FOUND_MORE)
        return opinion
    distances = field_distances(item.field, other.field, grid)
    limit = limits.of(organ)
    mean_mm = distances.mean()
    return replace(
        opinion,
        verdict=OpinionVerdict.DIFFERS if mean_mm > limit.mm else OpinionVerdict.AGREES,
        mean_mm=mean_mm,
        hd95_mm=distances.hausdorff(95),
        limit_mm=limit.mm,
        limit_measured=limit.measured,
    )


def _flags(opinion: SecondOpinion, *, contoured: bool) -> Iterator[Flag]:
    network = opinion.model.name
    match opinion.verdict:
        case OpinionVerdict.DIFFERS:
            assert opinion.mean_mm is not None
            assert opinion.hd95_mm is not None
            assert opinion.limit_mm is not None
            yield Flag.of(
                FlagCode.NETWORKS_DIFFER,
                network=network,
                distance_mm=opinion.mean_mm,
                limit_mm=opinion.limit_mm,
                limit_from="patients" if opinion.limit_measured else "guess",
                hd95_mm=opinion.hd95_mm,
            )
        case OpinionVerdict.FOUND_NOTHING:
            yield Flag.of(FlagCode.SECOND_FOUND_NOTHING, network=network)
        case OpinionVerdict.FOUND_MORE:
            yield Flag.of(FlagCode.ONLY_SECOND_FOUND, network=network, volume_cc=opinion.volume_cc)
        case OpinionVerdict.FAILED if contoured:
            yield Flag.of(FlagCode.SECOND_FAILED, network=network, reason=opinion.reason)
