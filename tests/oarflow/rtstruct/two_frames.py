"""A structure set with one region drawn on an MR that has its own frame of reference."""

from __future__ import annotations

import copy

from pydicom import Dataset

MR_FRAME = "1.2.826.0.1.3680043.8.498.77"
MR_IMAGE = "1.2.826.0.1.3680043.8.498.77.1"
MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4"

VARIANTS = (
    "declared",
    "declared, naming the CT's images",
    "nothing declared, naming the MR's images",
    "the CT's declared, naming the MR's images",
    "nothing declared nor named",
    "registered",
    "one contour on the MR",
)


def move_to_mr(dataset: Dataset, name: str, variant: str = "declared") -> None:
    """Tie a region to the MR, in one of the ways in which files do."""
    (definition,) = (r for r in dataset.StructureSetROISequence if r.ROIName == name)
    (drawing,) = (
        r for r in dataset.ROIContourSequence if r.ReferencedROINumber == definition.ROINumber
    )
    ct = dataset.ReferencedFrameOfReferenceSequence[0]
    mr = copy.deepcopy(ct)
    mr.FrameOfReferenceUID = MR_FRAME
    series = mr.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    series.SeriesInstanceUID = MR_FRAME + ".2"
    series.ContourImageSequence = [image_item()]
    dataset.ReferencedFrameOfReferenceSequence.append(mr)
    if variant in ("declared", "declared, naming the CT's images", "registered"):
        definition.ReferencedFrameOfReferenceUID = MR_FRAME
    elif variant.startswith("nothing declared"):
        definition.ReferencedFrameOfReferenceUID = ""
    if variant == "registered":
        related = Dataset()
        related.RelatedFrameOfReferenceUID = ct.FrameOfReferenceUID
        mr.FrameOfReferenceRelationshipSequence = [related]
    contours = drawing.ContourSequence
    for contour in contours[:1] if variant == "one contour on the MR" else contours:
        if variant == "declared, naming the CT's images":
            continue
        del contour.ContourImageSequence
        if "MR" in variant:
            contour.ContourImageSequence = [image_item()]


def image_item() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = MR_STORAGE
    item.ReferencedSOPInstanceUID = MR_IMAGE
    return item
