"""What the plausibility rules flag: good contours, simulated errors, real failures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import DerivedLabels
from oarflow.datasets.labels import doubts
from oarflow.datasets.openkbp import OpenKbp
from oarflow.evaluation.flag_accuracy.simulated_errors import simulated_errors, with_contour
from oarflow.evaluation.limits.calibration import GOOD_DICE
from oarflow.evaluation.limits.predictions import Predicted, Predictions, published
from oarflow.evaluation.limits.reference_dice import (
    derived_labels,
    dice_with_label,
    dice_with_reference,
)
from oarflow.evaluation.limits.references import openkbp_split, references
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Contour, Scene, contour_of, gather
from oarflow.plausibility.limits import Measures
from oarflow.plausibility.rules import judge, judge_all
from oarflow.structures import Segmentation
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)

OF_NETWORKS = frozenset(
    {
        FlagCode.CENTRE_SHIFTED,
        FlagCode.END_SHORT,
        FlagCode.END_BEYOND,
        FlagCode.PATCH_EDGE,
        FlagCode.UNSTABLE,
        FlagCode.LOW_CONFIDENCE,
        FlagCode.BLURRED_BORDER,
    }
)
"""Flags that speak of networks, not of contours as such."""

HARMLESS_DICE = 0.7
"""A simulated change counts as an error up to this Dice with the original contour."""


@dataclass(frozen=True)
class JudgedContour:
    """One contour, and the flags that it got.

    kind: "reference", "network", or the name of a simulated error; way: its variant. codes: of its
    flags and of those of its study. dice: with the reference (network) or with the original contour
    (simulated error); None without a reference. status: before the rules. doubt: why the reference
    is suspicious, or "". derived: the network learned from derived labels, or a rule made the
    contour, and `dice` is with such a label.
    """

    case: str
    organ: str
    kind: str
    way: str = ""
    codes: tuple[str, ...] = ()
    dice: float | None = None
    status: str = ""
    doubt: str = ""
    derived: bool = False

    @property
    def caught(self) -> bool:
        return bool(self.codes)


REFERENCE, NETWORK = "reference", "network"


@dataclass(frozen=True, eq=False)
class Judge:
    """Applies the rules to every contour of a case: drawn, predicted, and with simulated
    errors.

    labels: folder of derived labels, for the organs that were learned from such; None for none.
    """

    predictions: Predictions
    measures: Measures
    catalogue: Catalogue
    labels: Path | None = None

    def verdicts(self, cases: OpenKbp, ids: Iterable[str]) -> tuple[JudgedContour, ...]:
        """Of all these patients."""
        found: list[JudgedContour] = []
        for case_id in ids:
            stored = cases[case_id]
            case = published(stored)
            made = self.predictions.of(case)
            said = doubts(case, self.catalogue)
            labels = derived_labels(stored, self.labels)
            found += self._of_references(case, made, said)
            found += self._of_networks(case, made, said, labels)
            LOGGER.info("%s judged", case_id)
        return tuple(found)

    def _of_references(
        self, case: Case, made: Predicted, said: Mapping[str, str]
    ) -> Iterator[JudgedContour]:
        excluded = openkbp_split().excluded
        kept = (organ for organ in case.masks if (organ, case.id) not in excluded)
        scene = gather(made.volume, tuple(references(case, kept)), self.catalogue)
        for organ, contour in scene.contours.items():
            flags = judge(contour, scene, self.measures)
            flags = tuple(flag for flag in flags if flag.code not in OF_NETWORKS)
            blank = JudgedContour(case.id, organ, REFERENCE, dice=1.0, doubt=said[organ])
            yield _verdict(contour.item, blank, flags)

    def _of_networks(
        self, case: Case, made: Predicted, said: Mapping[str, str], labels: DerivedLabels
    ) -> Iterator[JudgedContour]:
        scene = gather(made.volume, made.segmentations, self.catalogue)
        judged = judge_all(scene, self.measures)
        for item in made.segmentations:
            contour = scene.contours.get(item.organ)
            derived = item.model is not None and (item.model.derived_labels or item.model.rule)
            agreed = dice_with_label(labels, item) if derived else dice_with_reference(case, item)
            why = "" if agreed is None or derived else said[item.organ]
            blank = JudgedContour(
                case.id, item.organ, NETWORK, dice=agreed, doubt=why, derived=derived
            )
            yield _verdict(item, blank, judged.of(item.organ) if contour else ())
            if contour and agreed is not None and agreed > GOOD_DICE:
                for verdict in self._of_faults(case.id, contour, made.volume, scene):
                    yield replace(verdict, derived=derived)

    def _of_faults(
        self, case_id: str, contour: Contour, volume: Volume, scene: Scene
    ) -> Iterator[JudgedContour]:
        assert contour.item.field is not None
        before = contour.item.field
        for fault in simulated_errors(contour, scene, volume.hu):
            field = fault.item.field
            assert field is not None
            if not field.mask.any():
                continue  # moved out of the CT: an organ that is gone is not written
            seen = volume if fault.hu is None else replace(volume, hu=fault.hu)
            damaged = contour_of(seen, fault.item, self.catalogue, contour.look)
            around = replace(scene, contours=with_contour(scene.contours, damaged))
            left = field.dice(before)
            blank = JudgedContour(case_id, fault.item.organ, fault.kind, fault.way, dice=left)
            yield _verdict(fault.item, blank, judge(damaged, around, self.measures))


def _verdict(item: Segmentation, blank: JudgedContour, flags: Sequence[Flag]) -> JudgedContour:
    codes = tuple(flag.code.value for flag in flags)
    return replace(blank, codes=codes, status=item.status.value)


def validation(folder: Path) -> tuple[OpenKbp, tuple[str, ...]]:
    """The validation patients: nothing was chosen on them."""
    cases = OpenKbp(folder)
    return cases, tuple(cases)
