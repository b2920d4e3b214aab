"""Spreads of the organs whose networks learned from experts' contours, beside the other limits.

Clinics draw these organs differently. The spread of a sign that any contour has therefore covers
both the clinics' contours and the networks' own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oarflow.datasets.cases import Case
from oarflow.datasets.experts import FIRST, Experts
from oarflow.datasets.openkbp import OpenKbp
from oarflow.evaluation.application import model_files
from oarflow.evaluation.experts.scores import held_out
from oarflow.evaluation.limits.calibration import FAILED_DICE, Known, network_spreads
from oarflow.evaluation.limits.predictions import Predictions, published
from oarflow.evaluation.limits.reference_dice import dice_with_mask, dice_with_reference
from oarflow.evaluation.limits.references import openkbp_split
from oarflow.flags.codes import FlagCode
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import gather
from oarflow.plausibility.limits import Limits, Measures
from oarflow.plausibility.rules import judge_all
from oarflow.plausibility.signs import OF_CONTOURS, SIGNS, Family
from oarflow.priors import Spread

WIDENED = frozenset(OF_CONTOURS) - {Family.IMAGE}
"""Families whose spreads cover the clinics' contours and the networks'. The CT's look depends on no
contour: its spreads stay those of the clinics' contours."""


@dataclass(frozen=True)
class JudgedContour:
    """One organ of an expert's patient by networks that did not see the patient.

    dice: with the first expert. flags: codes, with the spreads of the other patients.
    """

    patient: str
    organ: str
    dice: float
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ExpertCalibration:
    """New limits and what they flag. tuning: number of tuning patients."""

    limits: Limits
    judged: tuple[JudgedContour, ...]
    tuning: int


def calibrated(
    experts: Experts,
    folds: Sequence[Path],
    openkbp: Path,
    models: Path,
    *,
    cache: Path,
    measures: Measures,
    catalogue: Catalogue,
) -> ExpertCalibration:
    """The limits with new spreads of the organs that the folds' networks contour.

    folds: models folders, the K-th of them trained with `--fold K/N` on the experts' patients.
    openkbp: folder of training patients. models: folder of networks in use, which contour the
    tuning patients whom no expert drew. measures: today's; the limits of the families stay.
    """
    apart = list(_of_experts(experts, folds, cache, catalogue))
    organs = {one.contour.item.organ for one in apart}
    others = list(_of_tuning(experts, openkbp, Predictions(models, cache), organs, catalogue))
    judged: list[JudgedContour] = []
    for patient in experts.patients:
        rest = [one for one in (*apart, *others) if one.case != patient]
        own = [one for one in apart if one.case == patient]
        judged += _judged(own, with_spreads(measures, rest))
    limits = with_spreads(measures, [*apart, *others]).limits
    files = {one.folder: one.sha256 for one in model_files(models) if organs & set(one.organs)}
    return ExpertCalibration(
        replace(limits, models={**limits.models, **files}),
        tuple(judged),
        len({one.case for one in others}),
    )


def _of_experts(
    experts: Experts, folds: Sequence[Path], cache: Path, catalogue: Catalogue
) -> Iterator[Known]:
    """Each patient by the networks that did not see it, with the Dice with the first expert."""
    for number, folder in enumerate(folds, start=1):
        predictions = Predictions(folder, cache)
        for patient in held_out(experts, number, len(folds)):
            case = published(experts.drawn_by(FIRST, patient))
            for one in _contoured(case, predictions, predictions.organs, catalogue):
                mask = case.masks.get(one.contour.item.organ)
                dice = None if mask is None else dice_with_mask(mask, one.contour.item)
                yield replace(one, dice=dice)


def _of_tuning(
    experts: Experts,
    openkbp: Path,
    predictions: Predictions,
    organs: Collection[str],
    catalogue: Catalogue,
) -> Iterator[Known]:
    """The tuning patients without the experts'. Dice: only where the clinic shows a failure.

    The clinics drew by other guidelines. A middling Dice with them is no sign of a wrong contour.
    """
    cases = OpenKbp(openkbp)
    for case_id in openkbp_split().without(experts.patients).tune:
        case = published(cases[case_id])
        for one in _contoured(case, predictions, organs, catalogue):
            dice = dice_with_reference(case, one.contour.item)
            yield replace(one, dice=dice if dice is not None and dice < FAILED_DICE else None)


def _contoured(
    case: Case, predictions: Predictions, organs: Collection[str], catalogue: Catalogue
) -> Iterator[Known]:
    found = predictions.of(case)
    scene = gather(found.volume, found.segmentations, catalogue)
    for organ, contour in scene.contours.items():
        if organ in organs:
            yield Known(case.id, contour, scene, None)


def with_spreads(measures: Measures, contours: Sequence[Known]) -> Measures:
    """The measures with the spreads of these contours. Spreads of other organs stay."""
    own = network_spreads(contours)
    every = network_spreads(contours, every_sign=True)
    spreads = {
        organ: {**_widened(organ, every[organ], measures), **own.get(organ, {})} for organ in every
    }
    limits = replace(measures.limits, networks={**measures.limits.networks, **spreads})
    return replace(measures, limits=limits)


def _widened(organ: str, named: Mapping[str, Spread], measures: Measures) -> dict[str, Spread]:
    """The spreads of the signs that any contour has, wide enough for the clinics' contours."""
    found = {}
    for name, spread in named.items():
        family, drawn = SIGNS[name].family, measures.priors.sign(organ, name)
        if family in WIDENED:
            limit = measures.limits.families[family]
            found[name] = wider(spread, drawn, limit) if drawn else spread
    return found


def wider(one: Spread, other: Spread, limit: float) -> Spread:
    """A spread around `one`'s median that flags only what both flag. limit: in deviations."""
    lowest = min(each.median - limit * each.low for each in (one, other))
    highest = max(each.median + limit * each.high for each in (one, other))
    return Spread(one.n, one.median, (one.median - lowest) / limit, (highest - one.median) / limit)


def _judged(own: Sequence[Known], measures: Measures) -> Iterator[JudgedContour]:
    if not own:
        return
    findings = judge_all(own[0].scene, measures)
    for one in own:
        organ = one.contour.item.organ
        if one.dice is not None:
            flags = (*one.contour.item.flags, *findings.of(organ))
            codes = dict.fromkeys(
                flag.code.value for flag in flags if flag.code is not FlagCode.FIELD_OF_VIEW
            )
            yield JudgedContour(one.case, organ, one.dice, tuple(codes))
