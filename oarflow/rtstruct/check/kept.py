"""Compares regions that were copied from another file with the regions of that file."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from pydicom import Dataset

from oarflow.rtstruct.model import Contour, Roi, StructureSet
from oarflow.rtstruct.reader import integer, items

_NUMBERED = {
    "StructureSetROISequence": "ROINumber",
    "ROIContourSequence": "ReferencedROINumber",
    "RTROIObservationsSequence": "ReferencedROINumber",
}


def kept_faults(structures: StructureSet, kept: Collection[Roi]) -> Iterator[str]:
    """Faults of regions that should be unchanged, without names."""
    found = {roi.number: roi for roi in structures.rois}
    changed = sum(not _same(roi, found.get(roi.number)) for roi in kept)
    if changed:
        yield f"{changed} regions that should be unchanged have changed"


def without_kept(dataset: Dataset, kept: Collection[Roi]) -> Dataset:
    """The data set without kept regions and without further frames: its own part."""
    if not kept:
        return dataset
    numbers = {roi.number for roi in kept}
    own = Dataset()
    for tag in dataset.keys():  # noqa: SIM118  (iterating a data set converts every value)
        own[tag] = dataset.get_item(tag)
    for sequence, keyword in _NUMBERED.items():
        left = [i for i in items(dataset, sequence) if integer(i, keyword) not in numbers]
        setattr(own, sequence, left)
    own.ReferencedFrameOfReferenceSequence = items(dataset, "ReferencedFrameOfReferenceSequence")[
        :1
    ]
    return own


def _same(old: Roi, new: Roi | None) -> bool:
    if new is None or len(old.contours) != len(new.contours):
        return False
    said = ("name", "colour", "description", "interpreted_type", "algorithm")
    if any(getattr(old, key) != getattr(new, key) for key in said):
        return False
    if old.frames_of_reference and old.frames_of_reference != new.frames_of_reference:
        return False
    return all(map(_same_contour, old.contours, new.contours))


def _same_contour(old: Contour, new: Contour) -> bool:
    return (
        old.type == new.type
        and old.sop_instance_uid == new.sop_instance_uid
        and np.array_equal(old.points_lps, new.points_lps)
    )
