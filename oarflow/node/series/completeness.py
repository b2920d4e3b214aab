"""Judges from headers and counts whether a series is complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from oarflow.errors import Code
from oarflow.intake.headers import InstanceHeader, gaps


class Completeness(Enum):
    """The verdict. LACKING: more may arrive; if nothing does, the series is refused."""

    COMPLETE = "complete"
    LACKING = "lacking"
    REFUSED = "refused"


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason in words. code: the reason code of a refusal."""

    verdict: Completeness
    reason: str
    code: Code | None = None


@dataclass(frozen=True)
class SeriesContent:
    """The received part of a series, as counts. expected: the count that the sender announced."""

    headers: Sequence[InstanceHeader]
    count: int
    conflicts: int = 0
    deleted: int = 0
    expected: int | None = None


def judge(holding: SeriesContent) -> Judgement:
    """Judge a series."""
    if holding.conflicts:
        return Judgement(
            Completeness.REFUSED,
            f"{holding.conflicts} SOP Instance UIDs arrived more than once with different content",
            Code.DUPLICATE_CONFLICT,
        )
    if holding.deleted:
        return Judgement(
            Completeness.LACKING,
            f"{holding.deleted} images of an earlier version are deleted: send the whole series",
            Code.MISSING_SLICE,
        )
    if holding.expected is not None and holding.count < holding.expected:
        return Judgement(
            Completeness.LACKING,
            f"{holding.count} of {holding.expected} instances arrived",
            Code.MISSING_SLICE,
        )
    found = gaps(_stack(holding.headers))
    if found:
        steps = ", ".join(f"{gap.step_mm:g} mm" for gap in found[:3])
        gaps_in = "1 gap" if len(found) == 1 else f"{len(found)} gaps"
        return Judgement(
            Completeness.LACKING,
            f"{gaps_in} in {holding.count} slices ({steps})",
            Code.MISSING_SLICE,
        )
    return Judgement(Completeness.COMPLETE, f"{holding.count} instances, no gap")


def _stack(headers: Iterable[InstanceHeader]) -> list[InstanceHeader]:
    """The slices of the most common orientation, so that a localizer image makes no gap."""
    stacks: dict[tuple[float, ...], list[InstanceHeader]] = defaultdict(list)
    for header in headers:
        if header.orientation is not None:
            stacks[tuple(round(value, 2) + 0.0 for value in header.orientation)].append(header)
    return max(stacks.values(), key=len, default=[])
