"""docs/results/calibration.md: what the limits say of contours that they were calibrated on.

Good contours gave the limits: their share of flags is no test. Failures gave nothing: how many of
them are flagged is one, on more of them than the validation patients have.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE, Calibration, Known
from oarflow.evaluation.scoring.statistics import share_with_interval
from oarflow.plausibility.rules import judge_all
from oarflow.tables import markdown_table


def page(found: Calibration, command: str, date: str) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    known = [one for one in found.folds if one.dice is not None]
    scenes = {one.case: one.scene for one in known}
    judged = {case: judge_all(scene, found.measures) for case, scene in scenes.items()}
    flagged = {id(one): bool(judged[one.case].of(one.contour.item.organ)) for one in known}

    def cells(group: Sequence[Known]) -> tuple[object, ...]:
        good = [one for one in group if one.dice is not None and one.dice > GOOD_DICE]
        failed = [one for one in group if one.dice is not None and one.dice < FAILED_DICE]
        counts = (
            share_with_interval(sum(flagged[id(one)] for one in some), len(some))
            for some in (good, failed)
        )
        mean = fmean(one.dice for one in group if one.dice is not None)
        return len(group), f"{mean:.3f}", *counts

    organs = dict.fromkeys(one.contour.item.organ for one in known)
    patients = len({one.case for one in known})
    rows = [
        (organ, *cells([one for one in known if one.contour.item.organ == organ]))
        for organ in organs
    ]
    rows.append(("**all**", *cells(known)))
    lines = [
        "# Calibration: contours out of fold",
        "",
        f"Made by `{command}` on {date}, from {patients} training patients. The networks "
        "come from short trainings, one for each fold. The networks that contoured a patient had "
        "learned from the other folds only. Such networks fail more often than the shipped ones. "
        "The localization network is the shipped one, which learned from 136 of "
        "the patients. Intervals are 95 % (Clopper and Pearson).",
        "",
        f"- Good contours (Dice over {GOOD_DICE:g}) set the limits. Their column is therefore no "
        "test of false alarms.",
        f"- Failures (Dice under {FAILED_DICE:g}) set no limit, so their column is a test. "
        "However, the flags were developed on the same patients.",
        "- In some failures the contour is right, and the clinic defined the organ differently.",
        "",
        markdown_table(("organ", "n", "mean Dice", "good, flagged", "failed, flagged"), rows),
    ]
    return "\n".join(lines) + "\n"
