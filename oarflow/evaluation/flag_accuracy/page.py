"""docs/results/plausibility.md: what the rules flag, with 95 % intervals."""

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
from oarflow.tables import markdown_table

GOAL = 0.05
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
                "OpenKBP. No network, rule or limit was tuned on these patients. Intervals are "
                "95 % (Clopper and Pearson). [Flags](../reference/flags.md) explains the codes.",
                "## False alarms on good contours",
                f"Organs that clinics drew: {', '.join(_organs(drawn))}. Organs learned from "
                "derived labels have a section of their own below.\n\n" + _false_alarms(drawn),
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
        "References are judged by the rules that need no network (without "
        f"{', '.join(sorted(OF_NETWORKS))}). Networks' contours with a Dice over {GOOD_DICE:g} are "
        "judged by all rules. A contour also counts as flagged if its study is.",
        "",
        markdown_table(("organ", "references flagged", "networks' good contours flagged"), rows),
        "",
        f"The goal of at most {GOAL:.0%} is {_met(references)} for references and {_met(good)} for "
        "the networks' contours.",
        "",
        f"By code, references: {_codes(references)}. Networks: {_codes(good)}.",
        "",
        f"The first column leaves out {len(suspicious)} suspicious references ({DOUBTS}). The "
        f"rules flag {_share(suspicious)} of them.",
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
        f"Each error is made in a network's contour with a Dice over {GOOD_DICE:g}, one at a time. "
        "The other organs stay as they are. All rules judge the result.",
        "",
        "- Shift: along three axes, both ways.",
        "- Missing half: at most half of the volume is left, on each of six sides.",
        "- Mirrored: pairs about the patient's middle, other organs front to back.",
        "- Leak: a bar of 20 mm from the organ's middle through the back, 30 mm beyond the skin. "
        "It ends in the air, or in a couch top (two shells and foam) drawn behind the patient, "
        "because these CTs show none.",
        "",
        f"A change that leaves a Dice over {HARMLESS_DICE:g} with the original contour does not "
        "count as an error. These are counted below the table.",
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
        f"The rules flag {_share(harmless)} of them.",
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
        f"- Dice under {FAILED_DICE:g}: {len(failed)} of {len(networks)} organs with a reference; "
        f"{len(failed) - len(contoured)} of them not contoured at all. Of the contoured ones, "
        f"**{_share(contoured)}** are flagged. Without suspicious references: {_share(sound)}.",
        f"- Dice under {WRONG_DSC:g} and `segmented` before the rules: {len(wrong)}. The rules "
        f"flag {_share(wrong)}. {len(still)} of {len(called)} contours that stay "
        "`segmented` are wrong like this.",
        f"- Dice {FAILED_DICE:g} to {GOOD_DICE:g}, neither good nor failed: {_share(middling)} are "
        "flagged.",
        "",
        markdown_table(
            ("patient", "organ", "Dice", "status before the rules", "flags", "reference"),
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
    organs = ", ".join(_organs(verdicts)) or "None of these networks"
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
        f"{organs}: compared with [derived labels](../explanation/derived-labels.md) of the same "
        "patients, on the slices that these labels cover. The networks learned such labels. The "
        "figures measure the flags, not the agreement with a clinic.",
        "",
        markdown_table(("organ", "labels", "networks' good contours flagged"), rows),
        "",
        f"The goal of at most {GOAL:.0%} is {_met(good)}. By code: {_codes(good)}.",
        "",
        f"The {len(rest)} contours with a Dice up to {GOOD_DICE:g}: {_of_rest(rest)}.",
        "",
        "Simulated errors, as above:",
        "",
        *_simulated_table(verdicts),
    ]
    return "\n".join(lines)


def _of_rest(rest: Sequence[JudgedContour]) -> str:
    said = [
        f"{v.organ} of {v.case}, Dice {v.dice:.2f}, {v.status} before the rules, "
        + (f"flagged ({', '.join(v.codes)})" if v.caught else "not flagged")
        for v in sorted(rest, key=lambda v: v.dice or 0)
    ]
    return "; ".join(said) or "none"


def _limits(limits: Limits) -> str:
    lines = [
        f"From `oarflow/plausibility/limits.json`, made by `{limits.command}`. In standard "
        "deviations from the organ's median; each side has its own standard deviation.",
        "",
        markdown_table(
            [family.value for family in limits.families],
            [[f"{limit:g}" for limit in limits.families.values()]],
        ),
        "",
        "These rules have no calibrated limit: side of the midline, pieces, empty slices, overlap, "
        "the edge of the network's field of view, age, most organs flagged.",
    ]
    return "\n".join(lines)


_METHOD = """\
- **Figures that any contour has** (volume, ratio of a pair, place among the other organs, ends,
  tissue beyond them, parts that it should hold, shape, voxels, look of the CT) are compared with
  the references of OpenKBP's 170 training patients, without the wrong labels
  (`oarflow/priors.json`). For organs that OpenKBP lacks, they are compared with 35 scans of
  tcia-oars, without voxels.
- **Figures that only a network's contour has** (agreement with the localizer, doubt) are compared
  with networks' contours of the 34 tuning patients. The shipped networks of the organs that clinics
  drew learned from these patients, so other networks take their place (`--unseen`): networks of the
  same recipe for Brainstem, Parotid_L, Bone_Mandible and Esophagus, and networks 1.0 for the other
  three. The weights never saw the tuning patients; settings of the training were chosen on them.
  Contours with a known Dice of at most 0.7 are left out of these spreads.
- **Organs learned from derived labels** are compared with the networks' contours in every figure.
  They do not predict the places of other organs, because clinics draw something else under the same
  names. Their Dice is the one with derived labels. A contour with less than 90 % of its volume on
  slices that its label covers has no Dice and is not judged here.
- **Ends** are judged where the CT continues beyond them: not at its own end, and not where much of
  it was cut away (its cross-section changes by more than half from one slice to the next). If fewer
  than ten contours show a side of an organ, all sides of the organ give the spread.
- **Sum of one side.** The scores of one side (abrupt end, similar tissue beyond, shorter than the
  localizer found) are added and divided by the root of their number: `cut`.
- **Folds.** The same figures come from three folds of short trainings on all 170 patients
  ([calibration](calibration.md)). The limit is the widest of what references, tuning patients
  (organs that clinics drew, and the others) and folds need.
- **Spread.** A spread is a median and, for each side, the distance to the 5th or 95th percentile
  over 1.645. A family of figures shares one limit: 10 % beyond the 99.5th percentile (folds: that
  percentile, or the 99th of agreement with the localizer) of the largest scores of good training
  contours, and at least 3. The limit of doubt is lower, at the 98.5th percentile: doubt alone shows
  a failure on which localizer and network agree.
- **Leave-one-out spreads.** For figures that only networks have, each contour is compared with the
  spreads of all tuning patients except its own. Without this, 5.0 % of the good contours of tuning
  patients were flagged, and 8.1 % (4.1 to 14.1) of those of validation patients. These validation
  figures led to the correction, so the figures on this page are not wholly independent. Neither are
  those after the six organs of derived labels were added: 12 of 135 good contours were flagged
  until these organs got spreads of their own.
- **MOST_ORGANS_FLAGGED** flags a study in which more than half of the contours (at least three)
  are flagged. The idea came from a validation patient, pt_221. It flags one tuning patient (a CT in
  pieces) and no training reference. Simulated errors are judged without it.
- **After a change of networks** run `oarflow evaluate calibrate --derived LABELS --unseen ...
  --folds ...` and then `oarflow evaluate plausibility --derived LABELS` (labels of the training
  patients for the first, of the validation patients for the second: `oarflow data derive`)."""

_CANNOT = """\
- **Localizer and network wrong together.** Both learned from the same patients. If they agree on
  the wrong place, only the priors can object, and the priors allow for all human variety.
- **Another definition.** If a clinic draws larynx, esophagus or cord to other limits, a good
  contour has a low Dice.
- **Wrong ends, blurred limits, half-right contours.** Most real failures of the networks are of
  this kind: their figures are no stranger than those of good contours. Simulated errors are gross.
  That nearly all of them are found says little about the failures in the table above.
- **Ends without an edge.** A trachea continues below wherever it is cut, and too few of OpenKBP's
  scans show the carina to say how far it must reach.
- **One network for whole and parts.** `Lungs`, `Lung_L` and `Lung_R` come from one network. That
  `Lungs` holds both sides shows a lost half, but no failure that all three share.
- **Couches.** OpenKBP's CTs end at the skin: the couch of the simulated leaks is drawn."""


def _over(verdict: JudgedContour, limit: float) -> bool:
    return verdict.dice is not None and verdict.dice > limit


def _organs(verdicts: Iterable[JudgedContour]) -> list[str]:
    return list(dict.fromkeys(v.organ for v in verdicts if v.kind == NETWORK))


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
