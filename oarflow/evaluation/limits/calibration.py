"""Limits of the plausibility rules: as wide as good contours of the training patients need.

Figures that any contour has are compared with references. Figures that only a network has are
compared with networks' contours of patients that they did not learn from: the split's `tune`, and
the patients of each fold with short trainings on the other folds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from oarflow.datasets.openkbp import OpenKbp
from oarflow.evaluation.application import model_files
from oarflow.evaluation.limits.predictions import Predictions, published
from oarflow.evaluation.limits.reference_dice import (
    derived_labels,
    dice_with_label,
    dice_with_reference,
)
from oarflow.evaluation.limits.references import (
    openkbp_references,
    openkbp_split,
)
from oarflow.faces import FACES
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Contour, Scene, gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.sides import cuts
from oarflow.plausibility.signs import OF_CONTOURS, SIGNS, Family, places, signs
from oarflow.priors import Priors, Spread

GOOD_DICE = 0.7
"""A contour with a Dice over this is good."""

FAILED_DICE = 0.5
"""A contour with a Dice under this has failed."""

ALLOWED_SHARE = 0.005
"""Share of good contours that one family may flag.

The shares of all families add up to 7 %. Many families flag the same contours, and most limits are
wider than the folds need.
"""

AGREEMENT_SHARE = 0.01
"""Share of out-of-fold contours that agreement with the localizer may flag. In the worst of them
the localizer is wrong, and a limit without false alarms there would miss every shift."""

ROOM = 1.1
"""Factor beyond the largest scores of the few tuning patients and of the references. The contours
out of fold are many and need no such margin."""

ENOUGH_OF_A_SIDE = 10
"""Least number of contours for a spread of one side of an organ."""

LEAST_LIMIT = 3.0
"""Least limit, in standard deviations."""

DOUBT_SHARE = 0.015
"""Share of good contours that doubt may flag, without a margin. Doubt alone finds failures on which
localizer and network agree."""

LEAST_DOUBT = 2.0
"""The least limit of doubt."""


@dataclass(frozen=True, eq=False)
class Known:
    """A contour whose Dice is known, or None where no reference was drawn."""

    case: str
    contour: Contour
    scene: Scene
    dice: float | None
    signs: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", signs(self.contour, self.scene))


def predicted(
    cases: OpenKbp,
    ids: Iterable[str],
    predictions: Predictions,
    catalogue: Catalogue,
    labels: Path | None = None,
) -> Iterator[Known]:
    """The networks' contours of these patients, with their Dice; wrong labels are no reference.

    labels: folder of derived labels, which are the references of organs learned from such.
    """
    for case_id in ids:
        stored = cases[case_id]
        case = published(stored)
        found = predictions.of(case)
        scene = gather(found.volume, found.segmentations, catalogue)
        derived = derived_labels(stored, labels)
        for contour in scene.contours.values():
            agreed = (
                dice_with_label(derived, contour.item)
                if contour.derived
                else dice_with_reference(case, contour.item)
            )
            yield Known(case_id, contour, scene, agreed)


def drawn(cases: OpenKbp, ids: Iterable[str], catalogue: Catalogue) -> Iterator[Known]:
    """References of these patients, without the labels that the split leaves out."""
    excluded = openkbp_split().excluded
    for case_id in ids:
        for volume, items in openkbp_references(cases, (case_id,), excluded):
            scene = gather(volume, items, catalogue)
            for contour in scene.contours.values():
                yield Known(case_id, contour, scene, 1.0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Limits, and what they were measured on.

    folds: contours by the folds' networks, each of a patient that its network never saw; measures:
    what those contours are compared with, of all folds' networks together.
    """

    limits: Limits
    folds: tuple[Known, ...]
    measures: Measures


def calibrated(
    openkbp: Path,
    models: Path,
    cache: Path,
    priors: Priors,
    catalogue: Catalogue,
    *,
    labels: Path | None = None,
    unseen: Path | None = None,
    folds: Sequence[Path] = (),
) -> Calibration:
    """The limits. openkbp: folder of training patients; cache: of predictions.

    labels: of derived labels, for organs learned from such; without, theirs set spreads alone.
    unseen: models folder of networks of the same recipe that never saw the tuning patients. They
    replace the shipped networks, which contour their own training patients too well. None if the
    shipped networks did not see them.
    folds: models folders, the K-th of them trained with `--fold K/N`. Contours of each fold are
    scored with the fold's own spreads.
    """
    cases, split = OpenKbp(openkbp), openkbp_split()
    measured = Predictions(unseen or models, cache)
    contours = list(predicted(cases, split.tune, measured, catalogue, labels))
    networks = network_spreads(contours)
    files = {model.folder: model.sha256 for model in model_files(models)}
    measures = Measures(priors, Limits({}, networks, files))
    references = drawn(cases, (*split.fit, *split.tune), catalogue)
    by_reference = [worst(one, measures) for one in references]
    by_network = [list(_held_out(contours, measures, derived=kind)) for kind in (False, True)]
    apart = [
        one
        for number, folder in enumerate(folds, start=1)
        for one in predicted(
            cases,
            split.fold(number, len(folds)).tune,
            Predictions(folder, cache),
            catalogue,
        )
    ]
    of_folds = replace(measures, limits=replace(measures.limits, networks=network_spreads(apart)))
    by_fold = list(_held_out(apart, of_folds, derived=False))
    families = {}
    for family in Family:
        few = [by_reference, *by_network] if family in OF_CONTOURS else by_network
        families[family] = _limit(family, few, by_fold)
    limits = replace(of_folds.limits, families=families)
    return Calibration(
        Limits(families, networks, files), tuple(apart), replace(of_folds, limits=limits)
    )


def _held_out(
    contours: Sequence[Known], measures: Measures, *, derived: bool
) -> Iterator[Mapping[Family, float]]:
    """The worst of every good contour, against spreads of all patients but its own.

    derived: of organs learned from derived labels, or of the others alone: neither kind's share of
    false alarms is to hide in the other's. Thirty contours an organ make a spread: what it was
    measured on lies too well inside it.
    """
    for case in dict.fromkeys(one.case for one in contours):
        others = network_spreads([one for one in contours if one.case != case])
        apart = replace(measures, limits=replace(measures.limits, networks=others))
        for one in contours:
            good = one.dice is not None and one.dice > GOOD_DICE
            if one.case == case and one.contour.derived == derived and good:
                yield worst(one, apart)


def network_spreads(
    contours: Sequence[Known], *, every_sign: bool = False
) -> dict[str, dict[str, Spread]]:
    """By organ and sign, of what the networks contoured and no reference shows to be wrong.

    Signs that any contour has are left to the priors, but for organs that were learned from
    derived labels: what clinics draw under their names is another thing. every_sign: not for these
    organs alone.
    """
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in contours:
        if one.dice is not None and one.dice <= GOOD_DICE:
            continue
        for name, value in one.signs.items():
            own = every_sign or one.contour.derived
            if own or SIGNS[name].family not in OF_CONTOURS:
                values[one.contour.item.organ][name].append(value)
    return {
        organ: {
            name: Spread.of(found, SIGNS[name].least) for name, found in _of_all_sides(row).items()
        }
        for organ, row in values.items()
    }


def _of_all_sides(row: Mapping[str, list[float]]) -> Mapping[str, list[float]]:
    """A row of values by sign; a side on which few can be judged is given those of all sides.

    Lungs run out of most scans below: what few show there is no spread, and a lung cut short there
    would be compared with nothing.
    """
    found = dict(row)
    for prefix in ("end", "beyond"):
        names = [f"{prefix}_{side.value}" for faces in FACES for side in faces]
        every = [value for name in names for value in row.get(name, ())]
        few = [name for name in names if len(row.get(name, ())) < ENOUGH_OF_A_SIDE]
        found |= dict.fromkeys(few, every) if every else {}
    return found


def worst(one: Known, measures: Measures) -> Mapping[Family, float]:
    """How far the contour's worst sign of each family lies from what is usual, in SD."""
    found: dict[Family, float] = {}
    for name, value in one.signs.items():
        sign, spread = SIGNS[name], measures.spread(one.contour.item.organ, name)
        if spread is None:
            continue
        score = spread.score(value)
        against = max(score if sign.high else 0.0, -score if sign.low else 0.0)
        found[sign.family] = max(found.get(sign.family, 0.0), against)
    organ = one.contour.item.organ
    for cut in cuts(one.signs, lambda name: measures.spread(organ, name)):
        found[Family.CUT] = max(found.get(Family.CUT, 0.0), cut.score)
    for place in places(one.contour, one.scene, measures.priors):
        found[Family.PLACE] = max(found.get(Family.PLACE, 0.0), abs(place.score))
    return found


Rows = Sequence[Mapping[Family, float]]


def _limit(family: Family, few: Sequence[Rows], many: Rows) -> float:
    """The widest of the limits that every group's share of false alarms asks for.

    many: contours out of fold, of five times as many patients as tune; may be empty.
    """
    if family is Family.DOUBT:
        asked = [_quantile(family, rows, DOUBT_SHARE) for rows in (*few, many)]
        return round(max(LEAST_DOUBT, *asked), 2)
    agreement = family in (Family.CENTRE, Family.FACES)
    asked = [ROOM * _quantile(family, rows, ALLOWED_SHARE) for rows in few]
    asked.append(_quantile(family, many, AGREEMENT_SHARE if agreement else ALLOWED_SHARE))
    return round(max(LEAST_LIMIT, *asked), 2)


def _quantile(family: Family, rows: Rows, share: float) -> float:
    """What all but a share of the rows stay below; 0 where none has the family."""
    found = [row[family] for row in rows if family in row]
    return float(np.quantile(found, 1 - share)) if found else 0.0
