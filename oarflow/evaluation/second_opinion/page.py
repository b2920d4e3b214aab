"""docs/results/second-opinion.md: failures that a second network finds, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE
from oarflow.evaluation.scoring.statistics import share_with_interval
from oarflow.evaluation.second_opinion.measuring import (
    GOOD_SHARE,
    LEAST_CONTOURS,
    ROOM,
    ComparedContour,
    Figure,
    hd95_mm,
    limit_mm,
    limits_mm,
    mean_mm,
)
from oarflow.tables import markdown_table

Contours = Sequence[ComparedContour]


@dataclass(frozen=True)
class Measured:
    """All that the page shows. second: the second network in words. patients: of the split's tune.

    first: contours of networks that did not learn from these patients; they set the limits.
    shipped: contours of the shipped networks, which did. guess_mm: limit of an organ that too few
    contours show.
    """

    second: str
    patients: int
    first: tuple[ComparedContour, ...]
    shipped: tuple[ComparedContour, ...]
    guess_mm: float


def page(found: Measured, command: str, date: str) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    limits = {one.organ: found.guess_mm for one in found.first} | limits_mm(found.first)
    parts = [
        "# Second opinion: failures found and good contours flagged",
        f"Made by `{command}` on {date}, from {_cases(found.first)} of the {found.patients} tuning "
        f"patients of OpenKBP. The second network is {found.second}. Intervals are 95 % (Clopper "
        "and Pearson). [Two networks for one organ](../how-to/two-networks.md) explains the "
        "setting.",
        _WHO_SAW,
        "## Limits",
        "The limit of an organ comes from the contours that are good by both networks (Dice over "
        f"{GOOD_DICE:g}). It is {ROOM:g} times the mean surface distance that at most "
        f"{GOOD_SHARE:.0%} of them exceed, rounded up to 0.1 mm. Both sides of a pair share a "
        f"limit. With fewer than {LEAST_CONTOURS} such contours, the limit is a guess. The table "
        "divides the contours by whether the second network learned from the patient.",
        _limits(found.first, limits),
        "## Failures and good contours",
        f"A failure is a contour with a Dice under {FAILED_DICE:g}. It is found if the second "
        "network raises any flag. Every contour is compared with the limit that the other patients "
        "give. The last rows divide the contours of all organs.",
        _shares(found),
        "## Every failure",
        _failures(found.first, limits),
        "## Mean distance or HD95",
        "Both figures with limits of the same kind:",
        _figures(found.first),
        "## Shipped networks",
        _shipped(found.shipped, limits),
    ]
    return "\n\n".join(parts) + "\n"


_WHO_SAW = f"""\
- **First networks.** Networks 1.0, which did not learn from the tuning patients. Later ones did.
- **Second network.** It learned from the training patients with contours of all its organs, and saw
  their CTs and contours. Figures of these patients are optimistic. It did not learn from the other
  patients.
- **References.** They are clinical contours. Some failures are wrong references or another
  definition of the organ. The wrong labels of the split are left out.
- **Limits.** They hold for this pair of networks. Networks of other guidelines may differ more.
- Contours with a Dice from {FAILED_DICE:g} to {GOOD_DICE:g} are neither good nor failures.
- **Image values.** The second network read HU. It learned from OpenKBP's stored values, which are
  24 HU lower in most patients and 48 HU lower in some.
- **The rule of the limits** was chosen after these figures were seen.
- **Folders.** `-m` names a copy of the shipped networks with the second network, imported with
  `oarflow models import nnunet`. `--unseen` names the first networks."""


def _cases(contours: Iterable[ComparedContour]) -> int:
    return len({one.case for one in contours})


def _limits(contours: Contours, limits: Mapping[str, float]) -> str:
    measured = limits_mm(contours)
    rows = []
    for organ, limit in limits.items():
        good = [one for one in contours if one.organ == organ and one.both_good]
        cells = (_distances([one for one in good if one.seen == seen]) for seen in (False, True))
        origin = "measured" if organ in measured else "guess"
        rows.append((organ, *(text for pair in cells for text in pair), f"**{limit:.1f}**", origin))
    head = (
        "organ",
        "n, not learned from",
        "median, greatest (mm)",
        "n, learned from",
        "median, greatest (mm)",
        "limit (mm)",
        "limit is",
    )
    return markdown_table(head, rows)


def _distances(good: Contours) -> tuple[str, str]:
    values = [one.mean_mm for one in good]
    if not values:
        return "0", "-"
    return str(len(values)), f"{np.median(values):.2f}, {max(values):.2f}"


def _shares(found: Measured) -> str:
    flagged = _flagged_apart(found.first, mean_mm, found.guess_mm)
    groups: dict[str, list[ComparedContour]] = {}
    for one in found.first:
        groups.setdefault(one.organ, []).append(one)
    groups["**all**"] = list(found.first)
    groups["second network learned from them"] = [one for one in found.first if one.seen]
    groups["second network did not"] = [one for one in found.first if not one.seen]
    rows = [
        (
            name,
            len(group),
            _share([one for one in group if one.failed], flagged),
            _share([one for one in group if one.good], flagged),
            _share([one for one in group if FAILED_DICE <= one.dice <= GOOD_DICE], flagged),
        )
        for name, group in groups.items()
    ]
    between = f"Dice {FAILED_DICE:g} to {GOOD_DICE:g}, flagged"
    return markdown_table(("organ", "n", "failures found", "good, flagged", between), rows)


def _share(group: Contours, flagged: Mapping[ComparedContour, bool]) -> str:
    return share_with_interval(sum(flagged[one] for one in group), len(group))


def _flagged_apart(
    contours: Contours, figure: Figure, guess_mm: float
) -> dict[ComparedContour, bool]:
    """Whether each contour is above the limit that the other patients give."""
    found = {}
    for one in contours:
        others = [other for other in contours if other.case != one.case]
        limit = limit_mm(one.organ, others, figure)
        found[one] = figure(one) > (guess_mm if limit is None else limit)
    return found


def _figures(contours: Contours) -> str:
    measured = limits_mm(contours)
    known = [one for one in contours if one.organ in measured]
    rows = []
    for name, figure in (("mean surface distance", mean_mm), ("HD95", hd95_mm)):
        flagged = _flagged_apart(known, figure, math.inf)
        failed = _share([one for one in known if one.failed], flagged)
        rows.append((name, failed, _share([one for one in known if one.good], flagged)))
    return markdown_table(("figure", "failures found", "good, flagged"), rows)


def _failures(contours: Contours, limits: Mapping[str, float]) -> str:
    rows = [
        (
            one.case,
            one.organ,
            f"{one.dice:.2f}",
            f"{one.second_dice:.2f}",
            "nothing found" if math.isinf(one.mean_mm) else f"{one.mean_mm:.1f}",
            f"{limits[one.organ]:.1f}",
            "yes" if one.mean_mm > limits[one.organ] else "no",
            "yes" if one.seen else "no",
        )
        for one in sorted(contours, key=lambda one: one.dice)
        if one.failed
    ]
    if not rows:
        return "There is none."
    head = (
        "patient",
        "organ",
        "Dice",
        "second network's Dice",
        "distance (mm)",
        "limit (mm)",
        "found",
        "second network learned from it",
    )
    return markdown_table(head, rows)


def _shipped(contours: Contours, limits: Mapping[str, float]) -> str:
    if not contours:
        return (
            "The shipped networks were not measured. They learned from these patients, so that "
            "failures of theirs cannot be counted on them."
        )
    known = [one for one in contours if one.organ in limits]
    flagged = {one: one.mean_mm > limits[one.organ] for one in known}
    return (
        "The shipped networks, which learned from these patients, contoured "
        f"{_cases(contours)} of them. With the limits above, "
        f"{_share([one for one in known if one.good], flagged)} of their good contours are "
        "flagged. Failures found: "
        f"{_share([one for one in known if one.failed], flagged)}."
    )
