"""Reads any vendor's RTSTRUCT as a StructureSet. A damaged file is refused, never partly read.

Defects that lose nothing are accepted: no preamble, no file meta group, contours that name no
image, ROIs without contours, sequences in any order (matched by ROI number), a wrong Modality, UN
instead of DS, a missing ReferencedFrameOfReferenceSequence, dangling references. The linter reports
them. Defects that would lose or misplace a contour are refused.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException
from pydicom.uid import RTStructureSetStorage

from oarflow.rtstruct.encoding import ReadingLimits, Survey, survey
from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.model import Contour, GeometricType, Roi, StructureSet

COORDINATE_LIMIT_MM = 1e5
"""Greatest accepted coordinate in mm: a hundred metres from the origin."""

PYDICOM_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    ArithmeticError,
    LookupError,
    EOFError,
    BytesLengthException,
)
"""Errors of pydicom when it converts an element's bytes to a value."""


@dataclass(frozen=True, eq=False)
class Document:
    """An RT Structure Set object whose encoding was verified.

    dataset: parsed by pydicom; element values are converted on access only.
    """

    dataset: Dataset
    survey: Survey
    size: int


def open_document(source: Path | str | bytes, limits: ReadingLimits | None = None) -> Document:
    """Open a file (or its bytes) and verify its encoding and SOP class.

    Raises ReadError. A file without SOPClassUID counts as an RT Structure Set if it has a Structure
    Set ROI Sequence.
    """
    limits = limits or ReadingLimits()
    data = source if isinstance(source, bytes) else _bytes_of(Path(source), limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values.
        return _document(data, limits)


def read_structure_set(
    source: Path | str | bytes,
    *,
    allow_point_count_mismatch: bool = False,
    limits: ReadingLimits | None = None,
) -> StructureSet:
    """Read a file (or its bytes). Raises ReadError with a reason and no value from the file."""
    document = open_document(source, limits)
    return structure_set(
        document, allow_point_count_mismatch=allow_point_count_mismatch, limits=limits
    )


def structure_set(
    document: Document,
    *,
    allow_point_count_mismatch: bool = False,
    limits: ReadingLimits | None = None,
) -> StructureSet:
    """All regions of a document, contours in patient space (LPS, mm).

    allow_point_count_mismatch: accept contours whose NumberOfContourPoints contradicts their data,
        and use the data. Raises ReadError (DAMAGED, INCONSISTENT, TOO_LARGE).
    """
    limits = limits or ReadingLimits()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = document.dataset
        for keyword in ("StructureSetROISequence", "ROIContourSequence"):
            if keyword not in dataset:
                raise ReadError(ReadCode.DAMAGED, f"there is no {keyword}")
        definitions = _by_number(dataset, "StructureSetROISequence", "ROINumber")
        drawings = _by_number(dataset, "ROIContourSequence", "ReferencedROINumber")
        observations = _observations(dataset)
        orphans = drawings.keys() - definitions.keys()
        if orphans:
            raise ReadError(
                ReadCode.INCONSISTENT, f"contours of {len(orphans)} ROIs that are not defined"
            )
        if len(definitions) > limits.rois:
            raise ReadError(ReadCode.TOO_LARGE, f"more than {limits.rois} ROIs")
        frames = region_frames(dataset)
        budget = _Budget(limits.contours, limits.points)
        rois = tuple(
            _roi(
                number,
                item,
                drawings.get(number),
                observations.get(number),
                frames.get(number, frozenset()),
                allow_mismatch=allow_point_count_mismatch,
                budget=budget,
            )
            for number, item in definitions.items()
        )
        return StructureSet(
            label=text(dataset, "StructureSetLabel"),
            rois=rois,
            frame_of_reference_uid=_frame_of_reference(dataset, rois),
            referenced_instance_uids=frozenset(
                uid for image in referenced_images(dataset) if (uid := _image_uid(image))
            ),
        )


def text(dataset: Dataset, keyword: str) -> str:
    """An element's value as text, stripped; empty where missing, empty or unreadable."""
    try:
        value = dataset.get(keyword)
    except PYDICOM_ERRORS:
        return ""
    return "" if value is None else str(value).strip().strip("\0")


def integer(dataset: Dataset, keyword: str) -> int | None:
    """An element's value as a whole number; None where it is missing or invalid."""
    try:
        return int(str(dataset.get(keyword)))
    except PYDICOM_ERRORS:
        return None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty where it is missing. Raises ReadError where it is invalid."""
    try:
        value = dataset.get(keyword)
        return [] if value is None else [item for item in value if isinstance(item, Dataset)]
    except PYDICOM_ERRORS:
        raise ReadError(ReadCode.DAMAGED, f"{keyword} cannot be parsed") from None


def referenced_images(dataset: Dataset) -> Iterator[Dataset]:
    """All Contour Image items under ReferencedFrameOfReferenceSequence, over studies and series."""
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        yield from _images_of(frame)


def region_frames(dataset: Dataset) -> dict[int, frozenset[str]]:
    """UIDs of each region's frames of reference, by ROI number.

    These are the region's own ReferencedFrameOfReferenceUID, and the frames under which the images
    of its contours are listed. Without both, they are all frames of the file. Images that are also
    listed under the region's own frame do not add another one.
    """
    sequence = items(dataset, "ReferencedFrameOfReferenceSequence")
    listed: dict[str, set[str]] = defaultdict(set)
    for frame in sequence:
        for image in _images_of(frame):
            listed[text(image, "ReferencedSOPInstanceUID")].add(text(frame, "FrameOfReferenceUID"))
    of_file = {text(frame, "FrameOfReferenceUID") for frame in sequence} - {""}
    of_file = of_file or {text(dataset, "FrameOfReferenceUID")} - {""}
    named: dict[int | None, set[str]] = defaultdict(set)
    for drawing in items(dataset, "ROIContourSequence"):
        for contour in items(drawing, "ContourSequence"):
            for image in items(contour, "ContourImageSequence"):
                uid = text(image, "ReferencedSOPInstanceUID")
                named[integer(drawing, "ReferencedROINumber")].add(uid)
    found = {}
    for definition in items(dataset, "StructureSetROISequence"):
        number = integer(definition, "ROINumber")
        own = {text(definition, "ReferencedFrameOfReferenceUID")}
        tied = own.union(*(listed[uid] for uid in named[number] if not own & listed[uid])) - {""}
        if number is not None:
            found[number] = frozenset(tied or of_file)
    return found


def _images_of(frame: Dataset) -> Iterator[Dataset]:
    for study in items(frame, "RTReferencedStudySequence"):
        for series in items(study, "RTReferencedSeriesSequence"):
            yield from items(series, "ContourImageSequence")


def contour_bytes(contour: Dataset) -> bytes | None:
    """ContourData as in the file; None where it is missing or empty."""
    tag = tag_for_keyword("ContourData")
    if tag is None or tag not in contour:
        return None
    element = contour.get_item(tag)
    value = element.value
    if isinstance(element, RawDataElement):
        return bytes(value).strip(b"\0 \r\n") or None if value is not None else None
    if isinstance(value, bytes):
        return value.strip(b"\0 ") or None
    return "\\".join(str(v) for v in value).encode() if value else None


def coordinates(contour: Dataset) -> NDArray[np.float64]:
    """ContourData as (n, 3) points (x, y, z) in mm. Raises ReadError (DAMAGED).

    Parsed from the bytes, which is fast, exact, and works for DS and for UN.
    """
    raw = contour_bytes(contour)
    if raw is None:
        return np.empty((0, 3))
    try:
        numbers = np.array(raw.split(b"\\")).astype(np.float64)
    except ValueError:
        raise ReadError(
            ReadCode.DAMAGED, "a contour holds something that is not a number"
        ) from None
    if numbers.size % 3:
        raise ReadError(
            ReadCode.DAMAGED, f"a contour has {numbers.size} coordinates, which are not triplets"
        )
    if not np.isfinite(numbers).all() or float(np.abs(numbers).max()) > COORDINATE_LIMIT_MM:
        raise ReadError(ReadCode.DAMAGED, "a contour has coordinates beyond any patient")
    return numbers.reshape(-1, 3)


@dataclass
class _Budget:
    contours: int
    points: int

    def spend(self, points: int) -> None:
        self.contours -= 1
        self.points -= points
        if self.contours < 0 or self.points < 0:
            raise ReadError(ReadCode.TOO_LARGE, "more contours or points than the limits allow")


def _document(data: bytes, limits: ReadingLimits) -> Document:
    facts = survey(data, limits)
    try:
        dataset = pydicom.dcmread(io.BytesIO(_part10(facts)), force=True, stop_before_pixels=True)
    except (*PYDICOM_ERRORS, OSError, RecursionError):
        raise ReadError(ReadCode.DAMAGED, "the data set cannot be parsed") from None
    sop_class = text(dataset, "SOPClassUID")
    if sop_class != RTStructureSetStorage and (
        sop_class or "StructureSetROISequence" not in dataset
    ):
        raise ReadError(ReadCode.NOT_RTSTRUCT, "its SOP class is not RT Structure Set Storage")
    return Document(dataset, facts, len(data))


def _bytes_of(path: Path, limits: ReadingLimits) -> bytes:
    try:
        if not path.is_file():
            raise ReadError(ReadCode.NOT_A_FILE, "there is no regular file with that name")
        if path.stat().st_size > limits.file_bytes:
            raise ReadError(ReadCode.TOO_LARGE, f"more than {limits.file_bytes} bytes")
        return path.read_bytes()
    except (OSError, ValueError):
        raise ReadError(ReadCode.NOT_A_FILE, "the file cannot be opened") from None


def _part10(facts: Survey) -> bytes:
    """The data set after a new file meta group with its actual encoding."""
    syntax = str(facts.syntax).encode()
    syntax += b"\0" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little")
    body = facts.body[: len(facts.body) - facts.trailing_zeros]
    return b"\0" * 128 + b"DICM" + length + element + body


def _by_number(dataset: Dataset, sequence: str, keyword: str) -> dict[int, Dataset]:
    found: dict[int, Dataset] = {}
    for item in items(dataset, sequence):
        number = integer(item, keyword)
        if number is None:
            raise ReadError(ReadCode.INCONSISTENT, f"an item of {sequence} has no {keyword}")
        if number in found:
            raise ReadError(ReadCode.INCONSISTENT, f"{sequence} holds ROI number {number} twice")
        found[number] = item
    return found


def _observations(dataset: Dataset) -> dict[int, Dataset]:
    """The first observation of each ROI (several are legal); others are ignored."""
    found: dict[int, Dataset] = {}
    for item in items(dataset, "RTROIObservationsSequence"):
        number = integer(item, "ReferencedROINumber")
        if number is not None:
            found.setdefault(number, item)
    return found


def _roi(
    number: int,
    definition: Dataset,
    drawing: Dataset | None,
    observation: Dataset | None,
    frames: frozenset[str],
    *,
    allow_mismatch: bool,
    budget: _Budget,
) -> Roi:
    contours = items(drawing, "ContourSequence") if drawing is not None else []
    return Roi(
        number=number,
        name=text(definition, "ROIName"),
        contours=tuple(_contour(item, allow_mismatch, budget) for item in contours),
        colour=_colour(drawing),
        description=text(definition, "ROIDescription"),
        interpreted_type=text(observation, "RTROIInterpretedType") if observation else "",
        algorithm=text(definition, "ROIGenerationAlgorithm"),
        frames_of_reference=frames,
    )


def _contour(item: Dataset, allow_mismatch: bool, budget: _Budget) -> Contour:
    points = coordinates(item)
    budget.spend(len(points))
    declared = integer(item, "NumberOfContourPoints")
    if declared is not None and declared != len(points) and not allow_mismatch:
        raise ReadError(
            ReadCode.DAMAGED, f"a contour declares {declared} points and holds {len(points)}"
        )
    kind = text(item, "ContourGeometricType").upper() or GeometricType.CLOSED_PLANAR
    if kind not in set(GeometricType):
        raise ReadError(ReadCode.INCONSISTENT, "a contour's geometric type is not one of DICOM's")
    closed = kind in (GeometricType.CLOSED_PLANAR, GeometricType.XOR)
    if closed and len(points) > 1 and np.array_equal(points[0], points[-1]):
        points = points[:-1]
    images = items(item, "ContourImageSequence")
    uid = _image_uid(images[0]) if len(images) == 1 else None
    return Contour(points, uid, GeometricType(kind))


def _image_uid(image: Dataset) -> str | None:
    return text(image, "ReferencedSOPInstanceUID") or None


def _colour(drawing: Dataset | None) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(v) for v in drawing.get("ROIDisplayColor"))  # type: ignore[union-attr]
    except PYDICOM_ERRORS:
        return (255, 255, 0)
    return (red, green, blue)


def _frame_of_reference(dataset: Dataset, rois: tuple[Roi, ...]) -> str | None:
    """The frame of most regions with contours, else the first referenced frame, else the object's
    own."""
    for regions in ([roi for roi in rois if roi.contours], rois):
        named = Counter(uid for roi in regions for uid in sorted(roi.frames_of_reference))
        if not named:
            continue
        return named.most_common(1)[0][0]
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        if uid := text(frame, "FrameOfReferenceUID"):
            return uid
    return text(dataset, "FrameOfReferenceUID") or None
