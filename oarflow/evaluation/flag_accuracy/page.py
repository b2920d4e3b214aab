"""docs/results/plausibility.md: which errors are flagged, with 95 % intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from oarflow.datasets.labels import DOUBTS
from oarflow.evaluation.flag_accuracy.judging import (
    HARMLESS_DICE,
    NETWORK,
    OF_NETWORKS,
    REFERENCE,
    JudgedContour,
)
from oarflow.evaluation.flag_accuracy.simulated_errors import KINDS
from oarflow.evaluation.limits.calibration import FAILED_DICE, GOOD_DICE
from oarflow.evaluation.scoring.statistics import WRONG_DSC, share_with_interval
from oarflow.plausibility.limits import Limits
from oarflow.plausibility.signs import Family
from oarflow.tables import markdown_table

GOAL = 0.05
MEASURED = {
    Family.VOLUME: "volume",
    Family.PAIR: "ratio of a pair's volumes",
    Family.PLACE: "position among the other organs",
    Family.ENDS: "abruptness of an end",
    Family.BEYOND: "tissue beyond an end",
    Family.PARTS: "share of a part that lies inside",
    Family.CUT: "sum of one side",
    Family.SHAPE: "shape",
    Family.VOXELS: "CT numbers inside",
    Family.CENTRE: "distance of the centre from the localization network's",
    Family.FACES: "distance of the ends from the localization network's",
    Family.DOUBT: "certainty of the network",
    Family.IMAGE: "quality of the image",
}
"""Words for the families of measurements."""
WRITTEN = ("segmented", "truncated")


def page(verdicts: Sequence[JudgedContour], limits: Limits, command: str, date: str) -> str:
    """The whole page. Organs that learned from derived labels have a section of their own."""
    patients = len({one.case for one in verdicts})
    drawn = [one for one in verdicts if not one.derived]
    derived = [one for one in verdicts if one.derived]
    return (
        "\n\n".join(
            [
                "# Flags: the errors that they find, and the errors that they miss",
                f"Made by `{command}` on {date}, from the {patients} validation patients of "
                "OpenKBP. No network learned from these patients, and no limit was set on them. "
                "The page is still not wholly independent of them: see [how it was "
                "calibrated](#how-it-was-calibrated). Intervals are 95 % (Clopper and Pearson). "
                "[Flags](../reference/flags.md) explains the codes.",
                "## False alarms on good contours",
                f"Organs that clinics drew: {', '.join(_organs(drawn))}. A later section has the "
                "organs learned from derived labels.\n\n" + _false_alarms(drawn),
                _of_all_organs(verdicts),
                "## Simulated errors",
                _simulated(drawn),
                "## Real failures of the networks",
                _failures(drawn),
                "## Organs learned from derived labels",
                _learned_from_rules(derived),
                "## Limits in force",
                _limits(limits),
                "## How it was calibrated",
                _METHOD,
                "## What the flags cannot find",
                _CANNOT,
            ]
        )
        + "\n"
    )


def _false_alarms(verdicts: Sequence[JudgedContour]) -> str:
    references = [v for v in verdicts if v.kind == REFERENCE and not v.doubt]
    good = [v for v in verdicts if v.kind == NETWORK and _over(v, GOOD_DICE)]
    suspicious = [v for v in verdicts if v.kind == REFERENCE and v.doubt]
    rows = [
        (organ, *(_share([v for v in group if v.organ == organ]) for group in (references, good)))
        for organ in _organs(verdicts)
    ]
    rows.append(("**all**", f"**{_share(references)}**", f"**{_share(good)}**"))
    lines = [
        "All flags are tested on the networks' contours with a Dice over "
        f"{GOOD_DICE:g}. Flags that need no network are tested on the references too. These are "
        f"all flags but {', '.join(sorted(OF_NETWORKS))}. A contour also counts as flagged if its "
        "study has a flag.",
        "",
        markdown_table(("organ", "references flagged", "networks' good contours flagged"), rows),
        "",
        f"The goal of at most {GOAL:.0%} is {_met(references)} for references and {_met(good)} for "
        "the networks' contours.",
        "",
        f"By code, references: {_codes(references)}. Networks: {_codes(good)}.",
        "",
        f"The first column leaves out {len(suspicious)} suspicious references. A reference is "
        f"suspicious if {DOUBTS}. Of these references, {_share(suspicious)} are flagged.",
    ]
    return "\n".join(lines)


def _of_all_organs(verdicts: Sequence[JudgedContour]) -> str:
    good = [v for v in verdicts if v.kind == NETWORK and _over(v, GOOD_DICE)]
    return (
        f"All {len(_organs(good))} organs together, with those learned from derived labels: "
        f"{_share(good)} of the networks' good contours are flagged. The goal is {_met(good)}."
    )


def _met(group: Sequence[JudgedContour]) -> str:
    return "met" if sum(v.caught for v in group) <= GOAL * len(group) else "not met"


def _simulated(verdicts: Sequence[JudgedContour]) -> str:
    lines = [
        "A program puts one error at a time into a network's contour with a Dice over "
        f"{GOOD_DICE:g}. The other organs stay as they are. All flags are tested on the result.",
        "",
        "- Shift: along three axes, both ways.",
        "- Missing half: at most half of the volume is left, on each of six sides.",
        "- Mirrored: pairs about the patient's middle, other organs front to back.",
        "- Leak: a bar of 20 mm from the organ's middle through the back, 30 mm beyond the skin. "
        "It ends in the air or in a couch top (two shells and foam). The couch top is drawn, "
        "because these CTs show none.",
        "",
        f"A change that leaves a Dice over {HARMLESS_DICE:g} with the original contour does not "
        "count as an error. The text below the table counts such changes.",
        "",
        *_simulated_table(verdicts),
    ]
    return "\n".join(lines)


def _simulated_table(verdicts: Sequence[JudgedContour]) -> list[str]:
    simulated = [v for v in verdicts if v.kind in KINDS]
    counted = [v for v in simulated if not _over(v, HARMLESS_DICE)]
    harmless = [v for v in simulated if _over(v, HARMLESS_DICE)]
    organs = _organs(verdicts)
    rows = []
    for kind in KINDS:
        of_kind = [v for v in counted if v.kind == kind]
        ways = list(dict.fromkeys(v.way for v in of_kind))
        cells = [_count([v for v in of_kind if v.organ == organ]) for organ in organs]
        rows.append((f"**{kind}**", *cells, f"**{_share(of_kind)}**"))
        for way in ways if len(ways) > 1 else ():
            same = [v for v in of_kind if v.way == way]
            cells = [_count([v for v in same if v.organ == organ]) for organ in organs]
            rows.append((way, *cells, _share(same)))
    return [
        markdown_table(("error", *organs, "all"), rows),
        "",
        f"Changes that do not count: {_by(harmless, lambda v: f'{v.kind} {v.way} ({v.organ})')}. "
        f"Of these changes, {_share(harmless)} are flagged.",
    ]


def _failures(verdicts: Sequence[JudgedContour]) -> str:
    networks = [v for v in verdicts if v.kind == NETWORK and v.dice is not None]
    failed = [v for v in networks if not _over(v, FAILED_DICE)]
    contoured = [v for v in failed if v.status in WRITTEN]
    sound = [v for v in contoured if not v.doubt]
    wrong = [v for v in networks if v.status == "segmented" and not _over(v, WRONG_DSC)]
    called = [v for v in networks if v.status == "segmented" and not v.caught]
    still = [v for v in called if not _over(v, WRONG_DSC)]
    middling = [v for v in networks if FAILED_DICE <= (v.dice or 0) <= GOOD_DICE]
    lines = [
        f"- Dice under {FAILED_DICE:g}: {len(failed)} of {len(networks)} organs with a reference. "
        f"Without a contour: {len(failed) - len(contoured)}. Of the others, "
        f"**{_share(contoured)}** are flagged, and {_share(sound)} if suspicious references are "
        "left out.",
        f"- Dice under {WRONG_DSC:g} and, without the flags, the status `segmented`: {len(wrong)}. "
        f"Of these, {_share(wrong)} are flagged. {len(still)} of {len(called)} contours that stay "
        f"`segmented` have a Dice under {WRONG_DSC:g}.",
        f"- Dice {FAILED_DICE:g} to {GOOD_DICE:g}, neither good nor failed: {_share(middling)} are "
        "flagged.",
        "",
        markdown_table(
            ("patient", "organ", "Dice", "status without the flags", "flags", "reference"),
            [
                (
                    v.case,
                    v.organ,
                    f"{v.dice:.2f}",
                    v.status,
                    ", ".join(v.codes) or "-",
                    v.doubt or "sound",
                )
                for v in sorted(failed, key=lambda v: v.dice or 0)
            ],
        ),
    ]
    return "\n".join(lines)


def _learned_from_rules(verdicts: Sequence[JudgedContour]) -> str:
    """The same figures of organs that no clinic drew, against labels that rules derived."""
    contoured = dict.fromkeys(v.organ for v in verdicts if v.kind == NETWORK)
    organs = ", ".join(contoured) or "None of these networks"
    judged = [v for v in verdicts if v.kind == NETWORK and v.dice is not None]
    if not judged:
        return (
            f"{organs}: not measured. OpenKBP has no contours of these organs. To measure them, "
            "give derived labels of the validation patients (`--derived`)."
        )
    good = [v for v in judged if _over(v, GOOD_DICE)]
    rest = [v for v in judged if not _over(v, GOOD_DICE)]
    rows: list[tuple[object, ...]] = [
        (
            organ,
            sum(v.organ == organ for v in judged),
            _share([v for v in good if v.organ == organ]),
        )
        for organ in _organs(verdicts)
    ]
    rows.append(("**all**", len(judged), f"**{_share(good)}**"))
    lines = [
        f"{', '.join(_organs(verdicts))}: compared with [derived "
        "labels](../explanation/derived-labels.md) of the same "
        "patients, on the slices that these labels cover. The networks learned from such labels, "
        "or a rule makes the contour. "
        "The values measure the flags, not the agreement with a clinic.",
        "",
        markdown_table(("organ", "labels", "networks' good contours flagged"), rows),
        "",
        f"The goal of at most {GOAL:.0%} is {_met(good)}. By code: {_codes(good)}.",
        "",
        f"{len(rest)} contours have a Dice of at most {GOOD_DICE:g}: {_of_rest(rest)}.",
        "",
        "Simulated errors, as above:",
        "",
        *_simulated_table(verdicts),
    ]
    return "\n".join(lines)


def _of_rest(rest: Sequence[JudgedContour]) -> str:
    said = [
        f"{v.organ} of {v.case}, Dice {v.dice:.2f}, status without the flags {v.status}, "
        + (f"flagged ({', '.join(v.codes)})" if v.caught else "not flagged")
        for v in sorted(rest, key=lambda v: v.dice or 0)
    ]
    return "; ".join(said) or "none"


def _limits(limits: Limits) -> str:
    lines = [
        f"From `oarflow/plausibility/limits.json`, made by `{limits.command}`. The limits are in "
        "standard deviations from the organ's median. Values above and below the median have "
        "separate standard deviations.",
        "",
        markdown_table(
            ("measurements", "limit (SD)"),
            [(MEASURED[family], f"{limit:g}") for family, limit in limits.families.items()],
        ),
        "",
        "These flags have no calibrated limit: WRONG_SIDE, SEVERAL_PIECES, EMPTY_SLICES, OVERLAP, "
        "PATCH_EDGE, PATIENT_UNDER_18, MOST_ORGANS_FLAGGED.",
    ]
    return "\n".join(lines)


_METHOD = """\
The limits come from measurements of good contours. `oarflow evaluate calibrate` sets them.

| measurements | compared with |
| --- | --- |
| of any contour: volume, ratio of a pair, position among the other organs, ends, tissue beyond \
the ends, parts inside, shape, CT numbers, quality of the image | the references of OpenKBP's 170 \
training patients, without the wrong labels (`oarflow/priors.json`). For organs that OpenKBP \
lacks: 35 scans of tcia-oars, without CT numbers |
| of contours by networks only: agreement with the localization network, certainty of the \
network | networks' contours of the 34 tuning patients |
| of organs learned from derived labels: all measurements | networks' contours of these organs |

**Tuning patients.** The shipped networks of the organs that clinics drew learned from the tuning
patients. Other networks therefore take their place (`--unseen`): networks of the same recipe for
Brainstem, Parotid_L, Bone_Mandible and Esophagus, and networks 1.0 for the other three. The weights
of these networks never saw the tuning patients, but settings of the training were chosen on them.
Contours with a known Dice of at most 0.7 do not count.

**Organs learned from derived labels.** OARflow does not predict positions of other organs from
them, because clinics define these organs differently. Their Dice is the one with derived labels. A
contour is not judged here if less than 90 % of its volume lies on slices that its label covers.

**Ends.** An end is judged where the CT continues beyond it. It is not judged at the end of the CT,
or where much of the CT was cut away: where its cross-section changes by more than half from one
slice to the next. An end of an organ has a spread of its own only if it can be judged in at least
ten contours. Otherwise its spread comes from all sides of the organ together.

**Sum of one side (CUT_SHORT).** The scores of one side are added and divided by the root of their
number. The scores are those of an abrupt end, of similar tissue beyond, and of an end before the
border that the localization network found.

**Folds.** The same measurements also come from cross-validation: three folds of short trainings on
all 170 patients ([calibration](calibration.md)). The limit is the widest of the limits that the
references, the tuning patients and the folds need.

**Spread and limit.** For each measurement OARflow keeps the median and two standard deviations, one
below and one above it: the distances to the 5th and to the 95th percentile, divided by 1.645. A
family of measurements shares one limit:

| measurements | limit of a family, at least 3 |
| --- | --- |
| of references and tuning patients | 1.1 times the 99.5th percentile over good contours. A \
contour counts with its largest score in the family |
| of folds | the 99.5th percentile; for the agreement with the localization network the 99th |
| of the certainty of the network | the 98.5th percentile. The limit is stricter, because only \
the certainty can show a failure in which the localization network and the network of the organ \
agree |

**Leave-one-out spreads.** For measurements that only networks have, each contour is compared with
the spreads of all tuning patients except its own.

**What is not independent.** Results of validation patients led to these changes, so the values on
this page are not wholly independent:

| result of the validation patients | change |
| --- | --- |
| 8.1 % (4.1 to 14.1) of the good contours were flagged, against 5.0 % of the tuning patients' | \
leave-one-out spreads |
| after the six organs of derived labels were added, 12 of 135 good contours were flagged | \
spreads of their own for these organs |
| pt_221 gave the idea | the flag MOST_ORGANS_FLAGGED |

MOST_ORGANS_FLAGGED flags one tuning patient (a CT in pieces) and no training reference. Simulated
errors are judged without it.

**After a change of networks**, run `oarflow evaluate calibrate --derived LABELS --unseen ...
--folds ...` with derived labels of the training patients. Then run `oarflow evaluate plausibility
--derived LABELS` with those of the validation patients. `oarflow data derive` makes the labels."""

_CANNOT = """\
- **Both networks wrong together.** The localization network and the network of the organ learned
  from the same patients. If they agree on the wrong place, only the references can contradict them,
  and references vary widely between people.
- **Another definition.** If a clinic draws larynx, esophagus or cord to other limits, a good
  contour has a low Dice.
- **Wrong ends, blurred limits, half-right contours.** Most real failures of the networks are of
  this kind. Their measurements are as usual as those of good contours. Simulated errors are gross,
  so they say little about the real failures in the table above.
- **Ends without an edge.** Wherever a contour of the trachea ends too early, the airway below looks
  the same, so no measurement shows the missing part. Too few of OpenKBP's scans show the carina to
  know how far the contour must reach.
- **One network for the whole and its parts.** `Lungs`, `Lung_L` and `Lung_R` come from one network.
  The check that `Lungs` holds both sides finds a lost half. It finds no failure that all three
  share.
- **Couches.** OpenKBP's CTs end at the skin, so a couch was drawn for the simulated leaks."""


def _over(verdict: JudgedContour, limit: float) -> bool:
    return verdict.dice is not None and verdict.dice > limit


def _organs(verdicts: Iterable[JudgedContour]) -> list[str]:
    """Organs with a contour that was compared with a reference."""
    compared = (v for v in verdicts if v.kind == NETWORK and v.dice is not None)
    return list(dict.fromkeys(v.organ for v in compared))


def _count(group: Sequence[JudgedContour]) -> str:
    return f"{sum(v.caught for v in group)}/{len(group)}" if group else "-"


def _share(group: Sequence[JudgedContour]) -> str:
    return share_with_interval(sum(v.caught for v in group), len(group))


def _codes(group: Sequence[JudgedContour]) -> str:
    counts = Counter(code for v in group for code in v.codes)
    return ", ".join(f"{code} {n}" for code, n in counts.most_common()) or "none"


def _by(group: Sequence[JudgedContour], name: Callable[[JudgedContour], str]) -> str:
    counts = Counter(name(v) for v in group)
    return "; ".join(f"{named} {n}" for named, n in counts.most_common()) or "none"
