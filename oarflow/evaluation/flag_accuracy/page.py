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
    """The whole page. Organs that learned from derived labels stand in a section of their own."""
    patients = len({one.case for one in verdicts})
    drawn = [one for one in verdicts if not one.derived]
    derived = [one for one in verdicts if one.derived]
    return (
        "\n\n".join(
            [
                "# Plausibility: what the flags catch, and what they miss",
                f"Made by `{command}` on {date}, from the {patients} validation patients of "
                "OpenKBP, to whom neither networks nor rules nor limits were tuned (one correction "
                "after a first look stands in docs/design.md). Intervals are Clopper and "
                "Pearson's, 95 %.",
                "## False alarms on good contours",
                f"Of the organs that clinics drew: {', '.join(_organs(drawn))}. Those learned from "
                "derived labels stand in a section of their own.\n\n" + _false_alarms(drawn),
                _of_all_organs(verdicts),
                "## Planted faults",
                _planted(drawn),
                "## The networks' own failures",
                _failures(drawn),
                "## Organs learned from derived labels",
                _learned_from_rules(derived),
                "## Limits in force",
                _limits(limits),
                "## How it was calibrated",
                _METHOD,
                "## What cannot be caught",
                _CANNOT,
            ]
        )
        + "\n"
    )


def _false_alarms(verdicts: Sequence[JudgedContour]) -> str:
    references = [v for v in verdicts if v.kind == REFERENCE and not v.doubt]
    good = [v for v in verdicts if v.kind == NETWORK and _over(v, GOOD_DICE)]
    doubted = [v for v in verdicts if v.kind == REFERENCE and v.doubt]
    rows = [
        (organ, *(_share([v for v in group if v.organ == organ]) for group in (references, good)))
        for organ in _organs(verdicts)
    ]
    rows.append(("**all**", f"**{_share(references)}**", f"**{_share(good)}**"))
    lines = [
        f"References are judged by the rules that know no network (without "
        f"{', '.join(sorted(OF_NETWORKS))}); the networks' contours of Dice over {GOOD_DICE:g} "
        "by all rules. [The page of flags](../flags.md) explains the codes. A contour counts as "
        "flagged where its study is, too.",
        "",
        markdown_table(("organ", "references flagged", "networks' good contours flagged"), rows),
        "",
        f"At most {GOAL:.0%} was the goal: {_met(references)} for references, {_met(good)} for the "
        "networks' contours.",
        "",
        f"By code, references: {_codes(references)}. Networks: {_codes(good)}.",
        "",
        f"Left out of the first column are {len(doubted)} references in doubt ({DOUBTS}); the "
        f"rules flag {_share(doubted)} of them.",
    ]
    return "\n".join(lines)


def _of_all_organs(verdicts: Sequence[JudgedContour]) -> str:
    good = [v for v in verdicts if v.kind == NETWORK and _over(v, GOOD_DICE)]
    return (
        f"With the organs learned from derived labels, all {len(_organs(good))} together: "
        f"{_share(good)} of the networks' good contours are flagged; {_met(good)}."
    )


def _met(group: Sequence[JudgedContour]) -> str:
    return "met" if sum(v.caught for v in group) <= GOAL * len(group) else "not met"


def _planted(verdicts: Sequence[JudgedContour]) -> str:
    lines = [
        f"Planted into the networks' contours of Dice over {GOOD_DICE:g}, one at a time, all other "
        "organs as they were; judged by all rules. Shifts go along three axes both ways; a missing "
        "half leaves at most half of the volume, on each of six sides; pairs are mirrored about "
        "the patient's middle, other organs front to back; the leak is a bar of 20 mm from the "
        "organ's middle through the back, 30 mm beyond the skin: into the air, or into a couch "
        "top (two shells and foam) drawn behind the patient, since these CTs show none. A change "
        "that leaves Dice over "
        f"{HARMLESS_DICE:g} with the contour it was planted in is no fault and stands apart below.",
        "",
        *_planted_table(verdicts),
    ]
    return "\n".join(lines)


def _planted_table(verdicts: Sequence[JudgedContour]) -> list[str]:
    planted = [v for v in verdicts if v.kind in KINDS]
    counted = [v for v in planted if not _over(v, HARMLESS_DICE)]
    harmless = [v for v in planted if _over(v, HARMLESS_DICE)]
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
        markdown_table(("fault", *organs, "all"), rows),
        "",
        f"No fault by that measure: {_by(harmless, lambda v: f'{v.kind} {v.way} ({v.organ})')}. "
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
        f"{len(failed) - len(contoured)} of them not contoured at all. Of the rest, flagged: "
        f"**{_share(contoured)}**; without those whose reference is in doubt: {_share(sound)}.",
        f"- Without the rules `segmented` with Dice under {WRONG_DSC:g}: {len(wrong)}, flagged "
        f"{_share(wrong)}. With the rules {len(still)} of {len(called)} called `segmented` remain.",
        f"- Dice {FAILED_DICE:g} to {GOOD_DICE:g}, neither good nor failed: flagged "
        f"{_share(middling)}.",
        "",
        markdown_table(
            ("patient", "organ", "Dice", "status before", "flags", "reference"),
            [
                (
                    v.case,
                    v.organ,
                    f"{v.dice:.2f}",
                    v.status,
                    " ".join(v.messages) or "-",
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
            f"{organs}: not measured. OpenKBP has no contours of them; derived labels of the "
            "validation patients would tell (`--derived`, docs/derived-labels.md)."
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
        f"{organs}: held against [labels that rules derived](../derived-labels.md) from the same "
        "patients' CTs, on the slices of which these labels say anything. The networks learned "
        "such labels: the figures say what the flags do, not how well a clinic would agree.",
        "",
        markdown_table(("organ", "labels", "networks' good contours flagged"), rows),
        "",
        f"At most {GOAL:.0%} was the goal: {_met(good)}. By code: {_codes(good)}.",
        "",
        f"Of the {len(rest)} contours of Dice up to {GOOD_DICE:g}: {_of_rest(rest)}.",
        "",
        "Planted faults, as above:",
        "",
        *_planted_table(verdicts),
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
        f"`oarflow/plausibility/limits.json`, by `{limits.command}`. In standard deviations from "
        "the median of the organ's own spread, each side by its own:",
        "",
        markdown_table(
            [family.value for family in limits.families],
            [[f"{limit:g}" for limit in limits.families.values()]],
        ),
        "",
        "Beside them stand rules without a calibrated limit: side against the midline, pieces, "
        "empty slices, overlap, the edge of the network's field of view, age, most organs flagged.",
    ]
    return "\n".join(lines)


_METHOD = """\
- What any contour shows (volume, ratio of a pair, place among the others, ends, what lies beyond
  them, parts that it should hold, shape, voxels, look of the CT) is held against the references of
  OpenKBP's 170 training patients, wrong labels left out (`oarflow/priors.json`). For organs that
  OpenKBP lacks: 35 scans of tcia-oars, without voxels.
- What only a network shows (agreement with the localizer, doubt) is held against networks' own
  contours of the 34 tuning patients. The shipped networks of the organs that clinics drew learned
  from these patients, too; in their place stand networks that did not (`--unseen`): of the same
  making for Brainstem, Parotid_L, Bone_Mandible and Esophagus, networks 1.0 for the other three.
  The figures are out of sample for the weights. The tuning patients did serve to choose settings
  of the training. Contours of
  a known Dice of at most 0.7 are left out of these spreads. Organs learned from derived labels are
  held against the networks' contours in everything, and tell nothing of others' places: what
  clinics draw under their names is another thing. Their Dice is with derived labels; a contour of
  which under 90 % lies on slices that its label knows has none, and is not judged here either.
- Ends are judged where the CT goes on beyond them: not at its own end, and not where much of it was
  cut away (its cross-section changes by more than half from one slice to the next). A side of an
  organ that fewer than ten contours show is held against all of its sides.
- The signs of one side (bluntness, what lies beyond, falling short of what the localizer saw) are
  also added up, as the sum of their scores by the root of their number: `cut`.
- How far good contours go beyond such spreads is also asked of three folds of short trainings on
  all 170 patients ([calibration.md](calibration.md)); the widest of what references, tuning
  patients (organs that clinics drew, and the others) and folds ask is the limit.
- Spreads are a median and, for each side, the distance to the 5th or 95th percentile over 1.645. A
  family of signs shares one limit: 10 % beyond the 99.5th percentile (out of fold: that percentile,
  or the 99th of agreement with the localizer) of what good training contours
  show at worst, and at least 3. Doubt is cut closer, at the 98.5th percentile: it alone can see a
  failure on which localizer and network agree. For what only a network shows, each contour is held
  against the spreads of all tuning patients but its own. That was added after a first test: limits
  made without it flagged 5.0 % of good contours among the tuning patients, 8.1 % (4.1 to 14.1)
  among the validation ones. The figures here are therefore not those of a first look. Nor was the
  look after six organs of derived labels came: their flags filled up the rule of the next
  point, and 12 of 135 good contours were flagged; on the tuning patients these organs were seen
  to be judged by priors of another definition, which was mended there.
- Where more than half of a study's contours (at least three) are flagged, so is the study. The
  idea came from a validation patient, pt_221; among the tuning patients it holds for one (a CT in
  pieces), among the training references for none. Planted faults are judged without it.
- After a change of networks run `oarflow evaluate calibrate --derived LABELS --unseen ...
  --folds ...` and then `oarflow evaluate plausibility --derived LABELS` (labels of the training
  patients for the first, of the validation patients for the second: `oarflow data derive`)."""

_CANNOT = """\
- **Localizer and network wrong together.** Both learned from the same patients; where they agree on
  the wrong place, only the priors can object, and these allow for all of human variety.
- **Another opinion.** Where a clinic draws the larynx, the esophagus or the cord to other limits,
  the contour is a good one of another kind, and a low Dice with its reference is no sign of fault.
- **Wrong ends, blurred limits, half-right contours.** Most of the networks' real failures are of
  this kind: no figure of theirs is stranger than good contours' are. Planted faults are gross ones;
  that nearly all of these are caught says little about the failures in the table above.
- **Ends without an edge.** A trachea goes on below wherever it is cut, and OpenKBP's scans show its
  fork in too few patients to say how far it must reach.
- **One network, two witnesses.** `Lungs` and its two sides come from one network: that the whole
  holds its parts tells of a lost half, not of a failure that all three share.
- **Couches.** OpenKBP's CTs end at the skin: the couch that leaks were planted into was drawn."""


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
