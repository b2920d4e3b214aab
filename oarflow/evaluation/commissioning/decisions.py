"""Which organs may be used: the measured figures against the clinic's limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from oarflow.compare.scores import finite
from oarflow.evaluation.commissioning.record import Decision, MeasuredContour, Network
from oarflow.evaluation.commissioning.thresholds import AcceptanceLimits, Thresholds
from oarflow.evaluation.scoring.requested import NOT_REQUESTED


def decide(
    networks: Sequence[Network], thresholds: Thresholds, measured: Sequence[MeasuredContour]
) -> tuple[Decision, ...]:
    """A decision for every organ that a network contours or a limit names, in their order."""
    of = {organ: one for one in networks for organ in one.organs}
    organs = dict.fromkeys([*of, *thresholds.organs])
    return tuple(
        _decision(
            organ,
            of.get(organ),
            thresholds,
            [one for one in measured if one.organ == organ],
        )
        for organ in organs
    )


def figures(group: Sequence[MeasuredContour]) -> dict[str, float | None]:
    """The figures that limits apply to, by name. None where there is nothing to measure.

    Contours without figures do not count.
    """
    group = [one for one in group if one.dsc is not None]
    dices = [one.dsc for one in group if one.dsc is not None]
    surfaces = [one.surface_dice for one in group if one.surface_dice is not None]
    distances = finite(one.hd95_mm for one in group if one.hd95_mm is not None)
    errors = [
        abs((one.volume_cc or 0.0) / one.reference_cc - 1) if one.reference_cc else 1.0
        for one in group
    ]
    return {
        "patients": len(group),
        "mean_dsc": fmean(dices) if dices else None,
        "lowest_dsc": min(dices, default=None),
        "median_hd95_mm": median(distances) if distances else None,
        "greatest_hd95_mm": max(distances, default=None),
        "mean_surface_dice": fmean(surfaces) if surfaces else None,
        "mean_volume_error": fmean(errors) if errors else None,
        "missed": sum(one.missed for one in group),
        "silent_failures": sum(one.silent_failure for one in group),
        "swapped": sum(one.swapped for one in group),
    }


_AT_LEAST = frozenset({"patients", "mean_dsc", "lowest_dsc", "mean_surface_dice"})
"""Limits that a figure must reach; the others must not be passed."""

WORDS: Mapping[str, str] = {
    "patients": "patients",
    "mean_dsc": "mean Dice",
    "lowest_dsc": "lowest Dice",
    "median_hd95_mm": "median HD95 (mm)",
    "greatest_hd95_mm": "greatest HD95 (mm)",
    "mean_surface_dice": "mean surface Dice",
    "mean_volume_error": "mean volume error",
    "missed": "missed",
    "silent_failures": "failed without a flag",
    "swapped": "sides swapped",
}
"""Limits in words."""


def _decision(
    organ: str, made_by: Network | None, thresholds: Thresholds, group: Sequence[MeasuredContour]
) -> Decision:
    found = figures(group)
    reasons = []
    if made_by is None:
        reasons.append("no network contours this organ")
    limits = thresholds.of(organ)
    not_asked = not found["patients"] and any(one.status == NOT_REQUESTED for one in group)
    if limits is None and thresholds.default != AcceptanceLimits():
        reasons.append("the limits do not name this organ; default limits need its name")
    elif limits is None or limits == AcceptanceLimits():
        reasons.append("no limit is set for this organ")
    elif not not_asked:
        reasons += _broken(limits, found)
    if not_asked:
        reasons.append("the settings leave this organ out")
    elif not group:
        reasons.append("no patient has a clinical contour of this organ")
    others = {one.model_sha256 for one in group if one.model_sha256}
    if made_by is not None and others - {made_by.sha256}:
        reasons.append("another network than the one in the models folder contoured this organ")
    return Decision(
        organ=organ,
        allowed=not reasons,
        network=made_by,
        figures=found,
        reasons=tuple(reasons),
    )


def _broken(limits: AcceptanceLimits, found: Mapping[str, float | None]) -> list[str]:
    """Limits that do not hold, in words."""
    reasons = []
    for name, limit in limits.model_dump(exclude_none=True).items():
        value = found[name]
        if value is None:
            reasons.append(f"{WORDS[name]} cannot be measured")
        elif name in _AT_LEAST and value < limit:
            reasons.append(f"{WORDS[name]} {_plain(value)} is below {_plain(limit)}")
        elif name not in _AT_LEAST and value > limit:
            reasons.append(f"{WORDS[name]} {_plain(value)} is above {_plain(limit)}")
    return reasons


def _plain(value: float) -> str:
    return f"{value:.3g}"
