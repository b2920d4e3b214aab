"""Regions of an opened file that are written again unchanged: every item, every coordinate."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydicom import DataElement, Dataset, Sequence
from pydicom.tag import BaseTag

from oarflow.rtstruct.elements import can_write, raw_element, raw_item, tag_of
from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.reader import PYDICOM_ERRORS, Document, contour_bytes, integer, items, text
from oarflow.volume import Source

_CONTOUR_DATA = tag_of("ContourData")

_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Value representations to which Specific Character Set applies."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Regions that stay unchanged.

    rois: as read. definitions, drawings, observations: their items of StructureSetROI-,
    ROIContour- and RTROIObservationsSequence. frames: referenced frames of reference and series
    other than the CT's. predecessor: SOP Instance UID of the opened file, empty where it has none.
    content: the bytes on which a file's own UID depends.
    """

    rois: tuple[Roi, ...] = ()
    definitions: tuple[Dataset, ...] = ()
    drawings: tuple[Dataset, ...] = ()
    observations: tuple[Dataset, ...] = ()
    frames: tuple[Dataset, ...] = ()
    predecessor: str = ""
    content: tuple[bytes, ...] = ()

    def free_roi_numbers(self) -> Iterator[int]:
        """ROI numbers without a kept region, ascending from 1."""
        return _free({roi.number for roi in self.rois})

    def free_observation_numbers(self) -> Iterator[int]:
        """Observation numbers without a kept observation, ascending from 1."""
        return _free({integer(item, "ObservationNumber") for item in self.observations})


NOTHING_KEPT = Kept()


def keep(
    document: Document, structures: StructureSet, numbers: Collection[int], source: Source
) -> Kept:
    """The regions of some ROI numbers. Needs the document from which `structures` was read.

    Raises ValueError for text that the CT's character set lacks (the writer checks names),
    ReadError (DAMAGED) for an element that cannot be parsed.
    """
    dataset = document.dataset

    def of(sequence: str, keyword: str) -> tuple[Dataset, ...]:
        found = (i for i in items(dataset, sequence) if integer(i, keyword) in numbers)
        return tuple(_copied(item, source) for item in found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values.
        digest = hashlib.sha256(document.survey.body).digest()
        return Kept(
            rois=tuple(roi for roi in structures.rois if roi.number in numbers),
            definitions=of("StructureSetROISequence", "ROINumber"),
            drawings=of("ROIContourSequence", "ReferencedROINumber"),
            observations=of("RTROIObservationsSequence", "ReferencedROINumber"),
            frames=tuple(_other_frames(dataset, source)) if numbers else (),
            predecessor=text(dataset, "SOPInstanceUID"),
            content=(digest, repr(sorted(numbers)).encode()),
        )


def _other_frames(dataset: Dataset, source: Source) -> Iterator[Dataset]:
    """Referenced frames without the CT's series; the CT's frame only if another series remains."""
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        copied = _copied(frame, source)
        left = 0
        for study in items(copied, "RTReferencedStudySequence"):
            series = items(study, "RTReferencedSeriesSequence")
            others = [s for s in series if text(s, "SeriesInstanceUID") != source.series_uid]
            study.RTReferencedSeriesSequence = others
            left += len(others)
        if left or text(frame, "FrameOfReferenceUID") != source.frame_of_reference_uid:
            yield copied


def _copied(item: Dataset, source: Source) -> Dataset:
    """An item in our encoding and the CT's character set; contour data keep their bytes."""
    copy = raw_item(())
    for tag in item.keys():  # noqa: SIM118  (iterating a data set converts every value)
        data = contour_bytes(item) if tag == _CONTOUR_DATA else None
        copy[tag] = raw_element("ContourData", data) if data else _element(item, tag, source)
    return copy


def _element(item: Dataset, tag: BaseTag, source: Source) -> DataElement:
    try:
        element = item[tag]
    except PYDICOM_ERRORS:
        raise ReadError(ReadCode.DAMAGED, "an element of a region cannot be parsed") from None
    if element.VR == "SQ":
        copies = Sequence([_copied(nested, source) for nested in element.value])
        return DataElement(tag, "SQ", copies)
    if element.VR in _TEXTS and element.keyword != "ROIName":
        values = element.value if element.VM > 1 else [element.value]
        if not all(can_write(str(value or ""), source) for value in values):
            raise ValueError(
                f"{element.name} of a region has letters that the CT's character set lacks: "
                "remove the region"
            )
    return element


def _free(taken: Collection[int | None]) -> Iterator[int]:
    return (number for number in itertools.count(1) if number not in taken)
