"""TWOSTEP's own comparison: one step against two, the mandible about the parotid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.overlap import overlap
from oarflow.compare.surfaces import surface_distances
from oarflow.networks.card import partner
from oarflow.networks.store import ModelStore
from oarflow.structures import Segmentation
from oarflow.training.data.as_served import segmenter_of
from oarflow.training.data.cases import TrainingCase
from oarflow.training.papers.method_scores import DICE, MethodScore
from oarflow.training.samplers.regions import box_about

STEPS = ("one step", "two steps")
MANDIBLE = "Bone_Mandible"

GROW_MM = 17.0
"""How far the parotid's box is grown on all sides, as in the paper."""


def step_scores(
    cases: Iterable[TrainingCase], one: ModelStore, two: ModelStore, organ: str, source: str
) -> Iterator[tuple[str, MethodScore]]:
    """TWOSTEP's measures of the mandible in the box of each side's parotid, grown by 17 mm.

    By name: Dice, Jaccard, precision, recall, and HD95 in mm where a mandible was found.

    one, two: models folders whose organ (of the left; its partner of the right) means the mandible
    there; the second looks about the source's contour. The box is the reference parotid's; one that
    holds no mandible is left out.
    """
    sides = ((organ, source), (partner(organ), partner(source)))
    for case in cases:
        for method, store in zip(STEPS, (one, two), strict=True):
            segmenter = segmenter_of(case, store)
            for here, about in sides:
                if MANDIBLE not in case.masks or about not in case.masks:
                    continue
                box = box_about(case, about, GROW_MM)
                truth = case.masks[MANDIBLE][box]
                if not truth.any():
                    continue
                found = _labelled_mask(case, segmenter.segment(here))
                for measure, value in _measures(found[box], truth, case).items():
                    yield measure, MethodScore(case.name, here, method, value)


def _labelled_mask(case: TrainingCase, result: Segmentation) -> NDArray[np.bool_]:
    """(z, y, x) on the CT's grid, without the unlabelled voxels."""
    field, shape = result.field, case.ct.shape
    return case.labelled(field.full_mask(shape) if field else np.zeros(shape, bool))


def _measures(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], case: TrainingCase
) -> dict[str, float]:
    z, y, x = (float(mm) for mm in case.spacing_mm)
    shared = overlap(found, truth)
    values = {
        DICE: shared.dice,
        "Jaccard": shared.iou,
        "HD95 (mm)": surface_distances(found, truth, (z, y, x)).hausdorff(95.0),
        "precision": shared.precision,
        "recall": shared.recall,
    }
    return {measure: value for measure, value in values.items() if np.isfinite(value)}
