"""Checks the structure set's patient and references against the CT's headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage

from oarflow.rtstruct.check.headers import IDENTITY, SliceHeader, raw
from oarflow.rtstruct.reader import integer, items, referenced_images, text
from oarflow.volume import Source

STRICT_IDENTITY = frozenset(
    {
        "SpecificCharacterSet",
        "PatientName",
        "PatientID",
        "StudyInstanceUID",
        "FrameOfReferenceUID",
    }
)
"""Elements that must equal the CT's. Other elements may be empty where the CT's break their VR."""

_ESCAPE = b"\x1b"
"""Begins a code extension (PS3.5 6.1.2.5)."""


def identity_faults(
    dataset: Dataset, headers: Mapping[str, SliceHeader], source: Source
) -> Iterator[str]:
    """Faults of patient, study, series and references, without values; none for a valid file."""
    if not headers:
        yield "the CT has no slices"
        return
    yield from _copied_elements(dataset, headers, source)
    yield from _own_identity(dataset, headers)
    yield from _reference_chain(dataset, headers)
    yield from _regions(dataset, headers)


def _copied_elements(
    dataset: Dataset, headers: Mapping[str, SliceHeader], source: Source
) -> Iterator[str]:
    for keyword in IDENTITY:
        of_slices = {header.identity[keyword] for header in headers.values()}
        if keyword in STRICT_IDENTITY and not _agree(keyword, of_slices, headers):
            yield f"the slices disagree on {keyword}"
            continue
        written = raw(dataset, keyword)
        may_be_empty = keyword not in STRICT_IDENTITY and not raw(source.identity, keyword)
        if written not in of_slices and not (may_be_empty and not written):
            yield f"{keyword} differs from the CT's"


def _agree(keyword: str, values: set[bytes], headers: Mapping[str, SliceHeader]) -> bool:
    """Whether the slices' values mean the same, except for empty components of a name.

    Plain ASCII means the same in every character set.
    """
    if keyword == "SpecificCharacterSet" and len(values) > 1:
        texts = [text for header in headers.values() for text in header.identity.values()]
        return all(text.isascii() and _ESCAPE not in text for text in texts)
    if keyword == "PatientName":
        values = {value.rstrip(b"^= ") for value in values}
    return len(values) == 1


def _own_identity(dataset: Dataset, headers: Mapping[str, SliceHeader]) -> Iterator[str]:
    series = {header.series_uid for header in headers.values()}
    if text(dataset, "SOPClassUID") != RTStructureSetStorage:
        yield "SOPClassUID is not RT Structure Set Storage"
    if text(dataset, "Modality") != "RTSTRUCT":
        yield "Modality is not RTSTRUCT"
    for keyword, others in (("SOPInstanceUID", set(headers)), ("SeriesInstanceUID", series)):
        uid = text(dataset, keyword)
        if not uid or uid in others:
            yield f"{keyword} is missing or the CT's own"
    if text(dataset, "ApprovalStatus") != "UNAPPROVED":
        yield "ApprovalStatus is not UNAPPROVED"


def _reference_chain(dataset: Dataset, headers: Mapping[str, SliceHeader]) -> Iterator[str]:
    any_header = next(iter(headers.values()))
    frame_uid = any_header.identity["FrameOfReferenceUID"].decode("ascii", "replace")
    study_uid = any_header.identity["StudyInstanceUID"].decode("ascii", "replace")
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    if [text(frame, "FrameOfReferenceUID") for frame in frames] != [frame_uid]:
        yield "ReferencedFrameOfReferenceSequence does not name the CT's frame of reference, once"
    studies = [s for frame in frames for s in items(frame, "RTReferencedStudySequence")]
    if [text(study, "ReferencedSOPInstanceUID") for study in studies] != [study_uid]:
        yield "RTReferencedStudySequence does not name the CT's study, once"
    series = [s for study in studies for s in items(study, "RTReferencedSeriesSequence")]
    if [text(one, "SeriesInstanceUID") for one in series] != [any_header.series_uid]:
        yield "RTReferencedSeriesSequence does not name the CT's series, once"
    images = list(referenced_images(dataset))
    named = [text(image, "ReferencedSOPInstanceUID") for image in images]
    if sorted(named) != sorted(headers):
        yield "the referenced images are not exactly the CT's, each once"
    elif any(
        text(image, "ReferencedSOPClassUID") != headers[uid].sop_class_uid
        for image, uid in zip(images, named, strict=True)
    ):
        yield "an image reference has a wrong SOP class"


def _regions(dataset: Dataset, headers: Mapping[str, SliceHeader]) -> Iterator[str]:
    any_header = next(iter(headers.values()))
    frame_uid = any_header.identity["FrameOfReferenceUID"].decode("ascii", "replace")
    definitions = items(dataset, "StructureSetROISequence")
    drawings = items(dataset, "ROIContourSequence")
    numbers = [integer(item, "ROINumber") for item in definitions]
    observed = [
        integer(item, "ReferencedROINumber") for item in items(dataset, "RTROIObservationsSequence")
    ]
    if len(set(numbers)) != len(numbers) or numbers != observed:
        yield "ROI numbers repeat, or the observations do not match them"
    if numbers != [integer(item, "ReferencedROINumber") for item in drawings]:
        yield "ROI numbers and ROI contours do not match"
    if any(text(item, "ReferencedFrameOfReferenceUID") != frame_uid for item in definitions):
        yield "a ROI names another frame of reference than the CT's"
    dangling = 0
    for contour in (c for drawing in drawings for c in items(drawing, "ContourSequence")):
        images = items(contour, "ContourImageSequence")
        uid = text(images[0], "ReferencedSOPInstanceUID") if len(images) == 1 else ""
        if uid not in headers or text(images[0], "ReferencedSOPClassUID") != (
            headers[uid].sop_class_uid
        ):
            dangling += 1
    if dangling:
        yield f"{dangling} contours do not name exactly one image of the CT"
