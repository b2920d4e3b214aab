"""docs/results/calibration-experts.md: what the limits flag in patients that no network saw."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE
from oarflow.evaluation.limits.expert_spreads import JudgedContour
from oarflow.evaluation.scoring.statistics import share_with_interval
from oarflow.tables import markdown_table


def page(judged: Sequence[JudgedContour], tuning: int, command: str, date: str) -> str:
    """The whole page. tuning: number of tuning patients. command: what made it. date: ISO 8601."""
    patients = len({one.patient for one in judged})
    organs = dict.fromkeys(one.organ for one in judged)
    rows = [(organ, *_cells([one for one in judged if one.organ == organ])) for organ in organs]
    rows.append(("**all**", *_cells(judged)))
    flagged = [
        (one.patient, one.organ, f"{one.dice:.3f}", ", ".join(one.flags))
        for one in judged
        if one.flags
    ]
    head = ("organ", "n", "mean Dice", "good, flagged", "Dice between, flagged", "failed, flagged")
    return f"""# Calibration: networks that learned from experts' contours

Made by `{command}` on {date}. The networks of a fold contoured the experts' patients that they did
not learn from ({patients} patients). The networks in use contoured the tuning patients that no
expert drew ({tuning} patients). The spreads of the measurements that only networks have come from
both groups. The measurements that any contour has were also made on the clinics' contours: a
contour gets a flag only if its value is unusual among the networks' contours and among the
clinics'. The spreads of the CT's look are those of the clinics' contours alone.

A contour of the first group is left out if its Dice with the first expert is {GOOD_DICE:g} or less,
one of the second group if its Dice with the clinic is below {FAILED_DICE:g}. The limits of the
families are those of [the other calibration](calibration.md).

The networks in use began with networks that learned from the clinics' contours of the tuning
patients. The spreads of the certainty may therefore be too narrow.

## Flags

Each patient is judged with the spreads of the other patients. The Dice is that with the first
expert. Good: over {GOOD_DICE:g}. Failed: under {FAILED_DICE:g}. The flag FIELD_OF_VIEW does not
count. Intervals are 95 % (Clopper and Pearson).

{markdown_table(head, rows)}

## Contours with a flag

{markdown_table(("patient", "organ", "Dice", "flags"), flagged)}
"""


def _cells(group: Sequence[JudgedContour]) -> tuple[object, ...]:
    good = [one for one in group if one.dice > GOOD_DICE]
    failed = [one for one in group if one.dice < FAILED_DICE]
    between = [one for one in group if FAILED_DICE <= one.dice <= GOOD_DICE]
    shares = (
        share_with_interval(sum(bool(one.flags) for one in some), len(some))
        for some in (good, between, failed)
    )
    return len(group), f"{fmean(one.dice for one in group):.3f}", *shares
