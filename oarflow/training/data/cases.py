"""Training patients: the CT, its labels and its unlabelled voxels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.masks import bounding_box
from oarflow.training.data.labels import LabelBlock, Labels


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """One patient.

    ct: int16 (z, y, x) HU, x to the left, y to the back, z to the head. spacing_mm: (z, y, x).
    masks: bool (z, y, x) for each organ that is labelled; a missing one says nothing. mr: float32
    on the CT's voxels, scaled as networks read it; None where there is none. proposed: organs whose
    label a network proposed, without a drawn contour. ignored: unlabelled voxels, which add nothing
    to the loss; None where all were labelled.
    """

    name: str
    ct: NDArray[np.int16]
    spacing_mm: NDArray[np.float64]
    masks: Labels
    mr: NDArray[np.float32] | None = None
    proposed: frozenset[str] = frozenset()
    ignored: LabelBlock | None = None

    def labelled(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask without the unlabelled voxels, in which it is neither right nor wrong."""
        return mask if self.ignored is None else mask & ~self.ignored.whole()

    def centroid_mm(self, organ: str) -> NDArray[np.float64]:
        """(z, y, x) centre of mass of a label, mm from the first voxel."""
        return np.asarray(self.masks.block(organ).indices.mean(axis=0) * self.spacing_mm)

    def range_mm(self, organ: str) -> tuple[float, float]:
        """First and last labelled plane along z, in mm."""
        planes = self.masks.block(organ).indices[:, 0]
        return float(planes.min() * self.spacing_mm[0]), float(planes.max() * self.spacing_mm[0])


def training_case(case: Case, excluded: Collection[str] = ()) -> TrainingCase:
    """A case with its masks, cropped to where its CT was published. Empty masks are left out."""
    box = (slice(None),) * 3 if case.body is None else bounding_box(case.body, (0, 2, 2))
    kept = tuple(organ for organ in case.masks if organ not in excluded)
    masks = LazyMasks(kept, lambda organ: case.masks[organ][box])
    ct = case.ct[box].astype(np.int16)
    unknown = case.ignored
    ignored = None if unknown is None or not unknown[box].any() else LabelBlock.of(unknown[box])
    return TrainingCase(case.id, ct, np.asarray(case.spacing_zyx), Labels(masks), ignored=ignored)


def require_labels(cases: Collection[TrainingCase], organs: Sequence[str]) -> None:
    """Raises ValueError naming the organs that no case has, and how to train the others."""
    present = {organ for case in cases for organ in case.masks}
    absent = [organ for organ in organs if organ not in present]
    if not absent:
        return
    message = f"no training case has {', '.join(absent)}"
    others = [organ for organ in organs if organ in present]
    if others:
        message += f"; to train the others: --set 'organs=[{', '.join(others)}]'"
    raise ValueError(message)
